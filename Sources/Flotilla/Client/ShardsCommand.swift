import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla shards …`.
struct ShardsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shards",
        abstract: "Shows which node does which part of the standing work, and why, and puts parts elsewhere.",
        subcommands: [
            ListShards.self, ShowShard.self, PinShard.self, UnpinShard.self, MoveShard.self,
        ], defaultSubcommand: ListShards.self)
}

struct ListShards: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the 256 shards.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of the node of this name.") var node: String?
    @Option(help: "Only these: owned, moving, waiting, unassigned.") var state: String?
    @Flag(help: "Only those that are pinned.") var pinned = false

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<ShardAnswer>.self, "GET", "/shards", query: self.query)
                guard !self.options.json else { return CommandOutput.json(page) }
                ShardOutput.show(page.items)
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("node", self.node), ("state", self.state), ("pinned", self.pinned ? "true" : nil),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }
}

struct ShowShard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a shard, and why it is where it is.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The shard's number, 0 to 255.") var number: Int

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let story = try await client.value(ShardStoryAnswer.self, "GET", "/shards/\(self.number)")
                guard !self.options.json else { return CommandOutput.json(story) }
                ShardOutput.show([story.shard])
                for line in story.because { print(line) }
            }
        }
    }
}

private struct TargetBody: Encodable {
    var node: String
}

struct PinShard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Keeps a shard on a node.",
        discussion:
            "While the node is not active, the shard is balanced as others are; it comes back by itself.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The shard's number, 0 to 255.") var number: Int
    @Argument(help: "The node's name.") var node: String

    func run() async throws {
        try await ShardOutput.order(
            "PUT", "/shards/\(self.number)/pin", TargetBody(node: self.node), self.options)
    }
}

struct UnpinShard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Lets a pinned shard be balanced as others are.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The shard's number, 0 to 255.") var number: Int

    func run() async throws {
        try await ShardOutput.order("DELETE", "/shards/\(self.number)/pin", nil, self.options)
    }
}

struct MoveShard: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move", abstract: "Moves a shard to a node, once.",
        discussion: """
            It stays there for half a minute at least; after that it may be moved again when the node carries too much. \
            `flotilla shards pin` keeps it there.
            """)

    @OptionGroup var options: AdminOptions
    @Argument(help: "The shard's number, 0 to 255.") var number: Int
    @Argument(help: "The node's name.") var node: String

    func run() async throws {
        try await ShardOutput.order(
            "POST", "/shards/\(self.number)/move", TargetBody(node: self.node), self.options)
    }
}

enum ShardOutput {
    static func order(
        _ method: String, _ path: String, _ body: (any Encodable & Sendable)?, _ options: AdminOptions
    ) async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(options) { client in
                let shard = try await client.value(ShardAnswer.self, method, path, body: body)
                guard !options.json else { return CommandOutput.json(shard) }
                Self.show([shard])
            }
        }
    }

    static func show(_ shards: [ShardAnswer]) {
        var table = TextTable("SHARD", "STATE", "OWNER", "WANTED", "SINCE", "LOAD", "PINNED", "WHY")
        for shard in shards {
            table.add(
                "\(shard.number)", shard.state.rawValue, Self.name(shard.owner), Self.name(shard.wanted),
                "\(Int(shard.wantedSeconds)) s", "\(shard.load)", shard.pinned ?? "", shard.reason)
        }
        print(table.text)
    }

    private static func name(_ holder: ShardAnswer.Holder?) -> String {
        holder.map { $0.node ?? "incarnation \($0.incarnation)" } ?? ""
    }
}
