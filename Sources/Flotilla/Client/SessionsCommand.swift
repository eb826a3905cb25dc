import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla sessions [filters]`.
struct SessionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sessions", abstract: "Lists what is being sent and received now, on every node.",
        discussion: "The node that is asked asks the others. One that does not answer is named.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of this account.") var account: String?
    @Option(help: "Only those of the node of this name.") var node: String?
    @Option(help: "upload or download.") var kind: String?
    @Option(help: "http, tus or draft.") var `protocol`: String?
    @Option(help: "How many to show, from 1 to 10,000.") var limit = 200

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let answer = try await client.value(
                    SessionsAnswer.self, "GET", "/sessions", query: self.query)
                self.show(answer)
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("account", self.account), ("node", self.node), ("kind", self.kind),
            ("protocol", self.protocol), ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }

    private func show(_ answer: SessionsAnswer) {
        guard !self.options.json else { return CommandOutput.json(answer) }
        var table = TextTable(
            "SINCE", "NODE", "KIND", "PROTOCOL", "ACCOUNT", "BYTES", "RATE", "CLIENT", "PATH")
        for session in answer.items {
            table.add(
                Timestamp.text(session.since), session.node, session.kind, session.protocol, session.account,
                "\(session.bytes)", "\(Int64(session.rate))/s", session.client, session.path)
        }
        print(table.text)
        if answer.more { print("There are more, \(answer.total) in all; --limit shows up to 10,000.") }
        for node in answer.missingNodes { print("\(node) did not answer.") }
    }
}
