import AdminHTTP
import ArgumentParser
import ClusterPorts
import HTTPDoor

/// The command `flotilla transfers [filters]`.
struct TransfersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfers", abstract: "Searches the transfer log of the cluster.",
        discussion: "Times are RFC 3339, for example 2026-01-31T12:00:00Z; sizes are bytes.")

    @OptionGroup var options: AdminOptions

    @Option var account: String?
    @Option(help: "upload, download, delete, move or folder.") var kind: String?
    @Option(help: "running, completed or failed.") var status: String?
    @Option var node: String?
    @Option var `protocol`: String?
    @Option(help: "SHA-256 in hexadecimal.") var sha256: String?
    @Option(help: "One path below the home.") var path: String?
    @Option(help: "Every path below this folder.") var below: String?
    @Option var startedFrom: String?
    @Option var startedBefore: String?
    @Option var endedFrom: String?
    @Option var endedBefore: String?
    @Option var sizeFrom: Int64?
    @Option var sizeTo: Int64?
    @Option(help: "started, ended or size; with a minus in front for the largest first, as in --sort=-size.")
    var sort: String?
    @Option(help: "How many to show, from 1 to 1,000.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<TransferAnswer>.self, "GET", "/transfers", query: self.query)
                self.show(page)
            }
        }
    }

    var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("account", self.account), ("kind", self.kind), ("status", self.status), ("node", self.node),
            ("protocol", self.protocol), ("sha256", self.sha256), ("path", self.path), ("below", self.below),
            ("started_from", self.startedFrom), ("started_before", self.startedBefore),
            ("ended_from", self.endedFrom), ("ended_before", self.endedBefore),
            ("size_from", self.sizeFrom.map { "\($0)" }), ("size_to", self.sizeTo.map { "\($0)" }),
            ("sort", self.sort), ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }

    private func show(_ page: PageAnswer<TransferAnswer>) {
        guard !self.options.json else { return CommandOutput.json(page) }
        var table = TextTable("STARTED", "KIND", "STATUS", "ACCOUNT", "SIZE", "NODE", "PATH", "REASON")
        for transfer in page.items {
            let path = transfer.target.map { "\(transfer.path) -> \($0)" } ?? transfer.path
            table.add(
                Timestamp.text(transfer.startedAt), transfer.kind.rawValue, transfer.status.rawValue,
                transfer.account, "\(transfer.size)", transfer.node, path, transfer.reason ?? "")
        }
        print(table.text)
        if page.next != nil { print("There are more; --limit shows up to 1,000.") }
    }
}
