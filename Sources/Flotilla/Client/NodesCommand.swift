import AdminHTTP
import ArgumentParser
import ClusterModel
import HTTPDoor

/// The command `flotilla nodes [NAME]`.
struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "Lists the nodes of the cluster, or shows one.")

    @OptionGroup var options: AdminOptions

    @Option(help: "Only those that are active, draining or dead.")
    var status: String?

    @Argument(help: "The name of one node.")
    var name: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                if let name = self.name {
                    let path = "/nodes/\(PercentCoding.encode(name.utf8))"
                    self.show([try await client.value(NodeAnswer.self, "GET", path)])
                } else {
                    self.show(try await client.all(NodeAnswer.self, "/nodes", query: self.filters))
                }
            }
        }
    }

    private var filters: [(String, String)] { self.status.map { [("status", $0)] } ?? [] }

    private func show(_ nodes: [NodeAnswer]) {
        guard !self.options.json else { return CommandOutput.json(nodes) }
        var table = TextTable(
            "SLOT", "NAME", "STATUS", "FILES", "ADMIN", "IN FLIGHT", "LOAD", "VERSION", "SINCE")
        for node in nodes {
            table.add(
                "\(node.slot)", node.name, node.status.rawValue, "\(node.host):\(node.filesPort)",
                "\(node.host):\(node.adminPort)", "\(node.inFlight)/\(node.capacity)", "\(node.load)",
                node.version,
                Timestamp.text(node.joinedAt))
        }
        print(table.text)
    }
}

extension AdminClient {
    /// Every page of a list, up to a bound.
    func all<Item: Codable & Sendable & Equatable>(
        _ type: Item.Type, _ path: String, query: [(String, String)], upTo limit: Int = 100_000
    ) async throws -> [Item] {
        var items: [Item] = []
        var cursor: String?
        repeat {
            let page = try await self.value(
                PageAnswer<Item>.self, "GET", path, query: query + (cursor.map { [("cursor", $0)] } ?? []))
            items += page.items
            cursor = page.next
        } while cursor != nil && items.count < limit
        return items
    }
}
