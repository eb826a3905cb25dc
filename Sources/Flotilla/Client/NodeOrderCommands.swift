import AdminHTTP
import ArgumentParser
import HTTPDoor

/// What is told to a node: by name, or only if this incarnation still lives there.
struct NodeOrderOptions: ParsableArguments {
    @Argument(help: "The node's name.") var name: String
    @Option(help: "Only if this incarnation still lives under the name.") var incarnation: Int64?
}

private struct OrderBody: Encodable {
    var incarnation: Int64?
    var reason: String?
}

struct DrainNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Takes a node out of service: it takes nothing new and ends what it has.",
        discussion: "Asking again changes nothing. `flotilla nodes resume` ends or cancels the drain.")

    @OptionGroup var options: AdminOptions
    @OptionGroup var order: NodeOrderOptions
    @Option(help: "Why, for whoever looks at the node or the history of views.") var reason: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let body = OrderBody(incarnation: self.order.incarnation, reason: self.reason)
                let node = try await client.value(
                    NodeAnswer.self, "POST", NodePath.of(self.order.name, "drain"), body: body)
                NodeOutput.show([node], json: self.options.json)
            }
        }
    }
}

struct ResumeNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Cancels a node's drain, or puts it back into service after one.",
        aliases: ["cancel-drain"])

    @OptionGroup var options: AdminOptions
    @OptionGroup var order: NodeOrderOptions
    @Option(help: "Why, for the history of views.") var reason: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let node = try await client.value(
                    NodeAnswer.self, "POST", NodePath.of(self.order.name, "resume"),
                    body: OrderBody(incarnation: self.order.incarnation, reason: self.reason))
                NodeOutput.show([node], json: self.options.json)
            }
        }
    }
}

struct EvictNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evict", abstract: "Declares a node's incarnation dead, whatever its health.",
        discussion:
            "What it holds goes to others at once. A node that still runs joins again as a new incarnation.")

    @OptionGroup var options: AdminOptions
    @OptionGroup var order: NodeOrderOptions
    @Option(help: "Why, for the history of views.") var reason: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let body = OrderBody(incarnation: self.order.incarnation, reason: self.reason)
                _ = try await client.send("POST", NodePath.of(self.order.name, "evict"), body: body)
            }
        }
    }
}

struct SetNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Sets attributes of a node: name=value; an empty value removes.",
        discussion: "They stay with the node's name and go before those that the node brings itself.")

    @OptionGroup var options: AdminOptions
    @OptionGroup var order: NodeOrderOptions
    @Argument(help: "Attributes, for example zone=east ssd=yes old=") var attributes: [String] = []

    private struct Body: Encodable {
        var incarnation: Int64?
        var attributes: [String: String?]
    }

    func validate() throws {
        guard !self.attributes.isEmpty else {
            throw ValidationError("no attribute is given; for example zone=east")
        }
        for attribute in self.attributes where !attribute.contains("=") {
            throw ValidationError("“\(attribute)” is no attribute; it must be name=value")
        }
    }

    func run() async throws {
        var attributes: [String: String?] = [:]
        for attribute in self.attributes {
            let sides = attribute.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = sides.count > 1 && !sides[1].isEmpty ? String(sides[1]) : nil
            attributes.updateValue(value, forKey: String(sides[0]))
        }
        let body = Body(incarnation: self.order.incarnation, attributes: attributes)
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let node = try await client.value(
                    NodeAnswer.self, "PATCH", NodePath.of(self.order.name), body: body)
                CommandOutput.json(node)
            }
        }
    }
}

struct ListViews: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Lists what made each view of the cluster, newest first.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only what concerns the node of this name.") var node: String?
    @Option(help: "How many to show, from 1 to 999.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let query = [("limit", "\(self.limit)")] + (self.node.map { [("node", $0)] } ?? [])
                let page = try await client.value(
                    PageAnswer<ViewAnswer>.self, "GET", "/cluster/views", query: query)
                guard !self.options.json else { return CommandOutput.json(page) }
                var table = TextTable("VIEW", "AT", "NODE", "INCARNATION", "REASON")
                for view in page.items {
                    table.add(
                        "\(view.viewVersion)", Timestamp.text(view.at), view.node ?? "",
                        view.incarnation.map { "\($0)" } ?? "", view.reason)
                }
                print(table.text)
            }
        }
    }
}
