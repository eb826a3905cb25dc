import AdminHTTP
import ArgumentParser
import ClusterModel
import HTTPDoor

/// The command `flotilla nodes …`.
struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "Lists the nodes of the cluster, shows, drains, evicts them.",
        subcommands: [
            ListNodes.self, ShowNode.self, DrainNode.self, ResumeNode.self, EvictNode.self, SetNode.self,
            ListViews.self,
        ], defaultSubcommand: ListNodes.self)
}

struct ListNodes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the nodes of the cluster, or shows one.")

    @OptionGroup var options: AdminOptions

    @Option(help: "Only those that are active, draining or dead.")
    var status: String?

    @Argument(help: "The name of one node.")
    var name: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                if let name = self.name {
                    let node = try await client.value(NodeAnswer.self, "GET", NodePath.of(name))
                    NodeOutput.show([node], json: self.options.json)
                } else {
                    let filters = self.status.map { [("status", $0)] } ?? []
                    let nodes = try await client.all(NodeAnswer.self, "/nodes", query: filters)
                    NodeOutput.show(nodes, json: self.options.json)
                }
            }
        }
    }
}

struct ShowNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows all of one node.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The node's name.") var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                CommandOutput.json(try await client.value(NodeAnswer.self, "GET", NodePath.of(self.name)))
            }
        }
    }
}

/// Where a node is in the REST interface.
enum NodePath {
    static func of(_ name: String, _ action: String = "") -> String {
        "/nodes/\(PercentCoding.encode(name.utf8))" + (action.isEmpty ? "" : "/" + action)
    }
}

enum NodeOutput {
    static func show(_ nodes: [NodeAnswer], json: Bool) {
        guard !json else { return CommandOutput.json(nodes) }
        var table = TextTable(
            "SLOT", "NAME", "STATUS", "FILES", "ADMIN", "IN FLIGHT", "LOAD", "VERSION", "SINCE", "DRAIN")
        for node in nodes {
            let drain = node.drain.map { "by \($0.by.rawValue): \($0.reason)\($0.done ? " (done)" : "")" }
            table.add(
                "\(node.slot)", node.name, node.status.rawValue, "\(node.host):\(node.filesPort)",
                "\(node.host):\(node.adminPort)", "\(node.inFlight)/\(node.capacity)", "\(node.load)",
                node.version, Timestamp.text(node.joinedAt), drain ?? "")
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
