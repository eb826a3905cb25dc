import AdminHTTP
import ArgumentParser
import ClusterModel
import HTTPDoor

/// The command `flotilla events …`.
struct EventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Lists what happened to files and was told to webhooks.",
        subcommands: [ListEvents.self, ShowEvent.self], defaultSubcommand: ListEvents.self)
}

struct ListEvents: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists events, newest first.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of this account.") var account: String?
    @Option(help: "Only this kind, for example file.published.") var kind: String?
    @Option(help: "Only that of the transfer with this id.") var operation: String?
    @Option(help: "Not before this time, for example 2026-01-31T12:00:00Z.") var from: String?
    @Option(help: "Before this time.") var before: String?
    @Option(help: "-id, or id for the oldest first.") var sort: String?
    @Option(help: "How many to show, from 1 to 999.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<EventAnswer>.self, "GET", "/events", query: self.query)
                guard !self.options.json else { return CommandOutput.json(page) }
                Self.show(page.items)
                if page.next != nil { print("There are more; --limit shows up to 999.") }
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("account", self.account), ("kind", self.kind), ("operation", self.operation),
            ("from", self.from),
            ("before", self.before), ("sort", self.sort), ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }

    private static func show(_ events: [EventAnswer]) {
        var table = TextTable("ID", "AT", "KIND", "ACCOUNT", "PATH", "TARGET", "SIZE", "JOBS")
        for event in events {
            table.add(
                "\(event.id)", Timestamp.text(event.at), event.kind.rawValue, event.account, event.path,
                event.target ?? "", "\(event.size)", event.jobs.map { "\($0)" }.joined(separator: " "))
        }
        print(table.text)
    }
}

struct ShowEvent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one event and what became of its messages.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The event's id.") var id: Int64

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                CommandOutput.json(try await client.value(EventAnswer.self, "GET", "/events/\(self.id)"))
            }
        }
    }
}
