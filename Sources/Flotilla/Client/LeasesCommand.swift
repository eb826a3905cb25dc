import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla leases …`.
struct LeasesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leases", abstract: "Lists who holds the right to which work, shows it, takes it away.",
        subcommands: [ListLeases.self, ShowLease.self, EndLease.self], defaultSubcommand: ListLeases.self)
}

struct ListLeases: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists leases, oldest first.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only this kind of work.") var kind: String?
    @Option(help: "Only this piece of work.") var id: String?
    @Option(help: "Only those of the node of this name.") var node: String?
    @Option(help: "Held for more seconds than this.") var olderThan: Int64?
    @Option(help: "Held for fewer seconds than this.") var youngerThan: Int64?
    @Option(help: "epoch, or -epoch for the newest first, as in --sort=-epoch.") var sort: String?
    @Option(help: "How many to show, from 1 to 999.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<LeaseAnswer>.self, "GET", "/leases", query: self.query)
                guard !self.options.json else { return CommandOutput.json(page) }
                LeaseOutput.show(page.items)
                if page.next != nil { print("There are more; --limit shows up to 999.") }
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("kind", self.kind), ("id", self.id), ("node", self.node),
            ("older_than", self.olderThan.map { "\($0)" }),
            ("younger_than", self.youngerThan.map { "\($0)" }), ("sort", self.sort),
            ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }
}

struct ShowLease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows one lease.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The lease's epoch.") var epoch: Int64

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                CommandOutput.json(try await client.value(LeaseAnswer.self, "GET", "/leases/\(self.epoch)"))
            }
        }
    }
}

struct EndLease: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "force-release", abstract: "Takes a lease away from its holder.",
        discussion: """
            The holder can commit nothing by it any more, and is told. A later lease of the same work has another \
            epoch and is never hit.
            """)

    @OptionGroup var options: AdminOptions
    @Argument(help: "The lease's epoch.") var epoch: Int64

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let ended = try await client.value(LeaseAnswer.self, "DELETE", "/leases/\(self.epoch)")
                guard !self.options.json else { return CommandOutput.json(ended) }
                LeaseOutput.show([ended])
            }
        }
    }
}

enum LeaseOutput {
    static func show(_ leases: [LeaseAnswer]) {
        var table = TextTable(
            "EPOCH", "KIND", "ID", "NODE", "INCARNATION", "AGE", "DEADLINE", "ORDER", "LIMIT")
        for lease in leases {
            table.add(
                "\(lease.epoch)", lease.kind, lease.id, lease.node, "\(lease.incarnation)",
                "\(lease.ageSeconds) s", lease.deadlineSeconds.map { "\($0) s" } ?? "", lease.order ?? "",
                lease.limit.map { "\($0.key) (\($0.slots))" } ?? "")
        }
        print(table.text)
    }
}
