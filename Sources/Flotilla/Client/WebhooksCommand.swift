import AdminHTTP
import ArgumentParser
import ClusterModel
import HTTPDoor

/// The command `flotilla webhooks …`.
struct WebhooksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks", abstract: "Says whom to tell of what happens to files.",
        subcommands: [
            ListWebhooks.self, ShowWebhook.self, AddWebhook.self, SetWebhook.self, RemoveWebhook.self,
            TestWebhook.self,
        ], defaultSubcommand: ListWebhooks.self)
}

struct ListWebhooks: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists all webhooks.")
    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of this account.") var account: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                var query = [("limit", "999")]
                if let account = self.account { query.append(("account", account)) }
                let webhooks = try await client.all(WebhookAnswer.self, "/webhooks", query: query)
                WebhookOutput.show(webhooks, json: self.options.json)
            }
        }
    }
}

struct ShowWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "Shows one webhook.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                CommandOutput.json(
                    try await client.value(WebhookAnswer.self, "GET", WebhookOutput.path(self.name)))
            }
        }
    }
}

/// What can be said of a webhook when it is added and when it is changed.
struct WebhookFieldOptions: ParsableArguments {
    @Option(help: "Where to send: an http or https address.") var url: String?
    @Option(
        parsing: .upToNextOption,
        help: "What to tell: \(EventKind.allCases.map(\.rawValue).joined(separator: ", ")).")
    var events: [String] = []
    @Option(help: "Only what happens to this folder or below it.") var below: String?
    @Option(help: "Attempts until a message is given up.") var maxAttempts: Int?
    @Flag(inversion: .prefixedNo, help: "One message after the other for each path.") var ordered: Bool?
    @Flag(inversion: .prefixedEnableDisable, help: "Whether anything is sent.") var sending: Bool?
    @Flag(help: "Read a secret of your own from standard input, one line.") var secretStdin = false

    func body() throws -> WebhookBody {
        var body = WebhookBody()
        body.url = self.url
        body.events = self.events.isEmpty ? nil : self.events
        body.below = self.below
        body.maxAttempts = self.maxAttempts
        body.ordered = self.ordered
        body.enabled = self.sending
        if self.secretStdin { body.secret = try PasswordPrompt.read(fromInput: true) }
        return body
    }
}

/// So that nobody overwrites what somebody else changed since it was looked at.
struct ExpectedRevision: ParsableArguments {
    @Option(help: "Only if this is still its revision, as list shows it.") var ifRevision: Int64?

    var headers: [(String, String)] { self.ifRevision.map { [("if-match", "\"\($0)\"")] } ?? [] }
}

struct WebhookBody: Encodable {
    var name: String?
    var account: String?
    var url: String?
    var events: [String]?
    var below: String?
    var maxAttempts: Int?
    var ordered: Bool?
    var enabled: Bool?
    var secret: String?
    var newSecret: Bool?
}

struct AddWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Adds a webhook and prints its secret, once.")
    @OptionGroup var options: AdminOptions
    @Argument(help: "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit.") var name: String
    @Option(help: "Only what happens in the home of this account.") var account: String?
    @OptionGroup var fields: WebhookFieldOptions

    func run() async throws {
        try await CommandOutput.reporting {
            var body = try self.fields.body()
            body.name = self.name
            body.account = self.account
            // Everything, unless something is named.
            body.events = body.events ?? EventKind.allCases.map(\.rawValue)
            let asked = body
            try await AdminClient.with(self.options) { client in
                let webhook = try await client.value(WebhookAnswer.self, "POST", "/webhooks", body: asked)
                WebhookOutput.show([webhook], json: self.options.json)
            }
        }
    }
}

struct SetWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Changes a webhook; what is not given stays.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String
    @OptionGroup var fields: WebhookFieldOptions
    @Flag(help: "Make a new secret and print it, once.") var newSecret = false
    @OptionGroup var expected: ExpectedRevision

    func run() async throws {
        try await CommandOutput.reporting {
            var body = try self.fields.body()
            body.newSecret = self.newSecret ? true : nil
            let asked = body
            try await AdminClient.with(self.options) { client in
                let webhook = try JSONText.value(
                    WebhookAnswer.self,
                    from: try await client.send(
                        "PATCH", WebhookOutput.path(self.name), body: asked, headers: self.expected.headers))
                WebhookOutput.show([webhook], json: self.options.json)
            }
        }
    }
}

struct RemoveWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Removes a webhook; what is still to be sent to it is not sent.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String
    @OptionGroup var expected: ExpectedRevision

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                _ = try await client.send(
                    "DELETE", WebhookOutput.path(self.name), headers: self.expected.headers)
            }
        }
    }
}

struct TestWebhook: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test", abstract: "Sends a message that says that it is a test, and prints its job.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let test = try await client.value(
                    WebhookTestAnswer.self, "POST", WebhookOutput.path(self.name) + "/test")
                guard !self.options.json else { return CommandOutput.json(test) }
                print("job \(test.job)")
            }
        }
    }
}

enum WebhookOutput {
    static func path(_ name: String) -> String { "/webhooks/\(PercentCoding.encode(name.utf8))" }

    static func show(_ webhooks: [WebhookAnswer], json: Bool) {
        guard !json else { return CommandOutput.json(webhooks) }
        var table = TextTable("NAME", "STATE", "ACCOUNT", "BELOW", "EVENTS", "ORDERED", "REVISION", "URL")
        for webhook in webhooks {
            let state =
                webhook.disabledBecause.map { "disabled: \($0)" }
                ?? (webhook.enabled ? "enabled" : "disabled")
            table.add(
                webhook.name, state, webhook.account ?? "all", webhook.below,
                webhook.events.map(\.rawValue).joined(separator: " "), webhook.ordered ? "yes" : "no",
                "\(webhook.revision)", webhook.url)
        }
        print(table.text)
        for webhook in webhooks {
            if let secret = webhook.secret {
                print("The secret of \(webhook.name), shown only now: \(secret)")
            }
        }
    }
}
