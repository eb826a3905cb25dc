import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla accounts keys …`.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Creates, lists and revokes the keys of an account.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and shows its secret, this once.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String
        @Option(help: "What people call the key.") var label: String
        @Option(help: "When it stops working, for example 2027-01-31T12:00:00Z.") var expiresAt: String?

        private struct Body: Encodable {
            var label: String
            var expiresAt: String?
        }

        func run() async throws {
            try await CommandOutput.reporting {
                try await AdminClient.with(self.options) { client in
                    let key = try await client.value(
                        KeyAnswer.self, "POST", KeysCommand.path(self.name),
                        body: Body(label: self.label, expiresAt: self.expiresAt))
                    guard !self.options.json else { return CommandOutput.json(key) }
                    print("id      \(key.id)\nsecret  \(key.secret ?? "")\nThe secret is not shown again.")
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys of an account.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String

        func run() async throws {
            try await CommandOutput.reporting {
                try await AdminClient.with(self.options) { client in
                    let keys = try await client.all(KeyAnswer.self, KeysCommand.path(self.name), query: [])
                    guard !self.options.json else { return CommandOutput.json(keys) }
                    var table = TextTable("ID", "LABEL", "STATE", "CREATED", "EXPIRES")
                    for key in keys {
                        table.add(
                            key.id, key.label, key.enabled ? "enabled" : "revoked",
                            Timestamp.text(key.createdAt),
                            key.expiresAt.map(Timestamp.text) ?? "never")
                    }
                    print(table.text)
                }
            }
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key useless, on every node within a second.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String
        @Argument var id: String

        func run() async throws {
            try await CommandOutput.reporting {
                try await AdminClient.with(self.options) { client in
                    _ = try await client.send("DELETE", KeysCommand.path(self.name, self.id))
                    if !self.options.json { print("revoked \(self.id)") }
                }
            }
        }
    }

    fileprivate static func path(_ name: String, _ id: String? = nil) -> String {
        "/accounts/\(PercentCoding.encode(name.utf8))/keys"
            + (id.map { "/\(PercentCoding.encode($0.utf8))" } ?? "")
    }
}
