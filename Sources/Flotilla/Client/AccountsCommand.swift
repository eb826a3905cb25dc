import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla accounts …`.
struct AccountsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accounts", abstract: "Creates, changes and lists accounts and their keys.",
        subcommands: [
            List.self, Show.self, Create.self, Enable.self, Disable.self, SetPassword.self, SetQuota.self,
            Recount.self,
            KeysCommand.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists all accounts.")
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await CommandOutput.reporting {
                try await AdminClient.with(self.options) { client in
                    let accounts = try await client.all(
                        AccountAnswer.self, "/accounts", query: [("limit", "1000")])
                    AccountsCommand.show(accounts, json: self.options.json)
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows one account.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String

        func run() async throws {
            try await AccountsCommand.change(self.options, "GET", self.name, nil)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Creates an account and its home.",
            discussion: "Asks for a password; an empty one makes an account that only keys open.")
        @OptionGroup var options: AdminOptions
        @Argument(help: "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit.") var name: String
        @Flag(help: "Read the password from standard input, one line.") var passwordStdin = false
        @Flag(help: "Take over a folder that is there already.") var adopt = false

        private struct Body: Encodable {
            var name: String
            var password: String?
            var adopt: Bool?
        }

        func run() async throws {
            try await CommandOutput.reporting {
                let password = try PasswordPrompt.read(fromInput: self.passwordStdin)
                try await AdminClient.with(self.options) { client in
                    let body = Body(
                        name: self.name, password: password.isEmpty ? nil : password,
                        adopt: self.adopt ? true : nil)
                    let account = try await client.value(AccountAnswer.self, "POST", "/accounts", body: body)
                    AccountsCommand.show([account], json: self.options.json)
                }
            }
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets an account in again.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String

        func run() async throws {
            try await AccountsCommand.change(self.options, "PATCH", self.name, Patch(enabled: true))
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shuts an account out, on every node within a second.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String

        func run() async throws {
            try await AccountsCommand.change(self.options, "PATCH", self.name, Patch(enabled: false))
        }
    }

    struct SetPassword: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Gives an account a new password.")
        @OptionGroup var options: AdminOptions
        @Argument var name: String
        @Flag(help: "Read the password from standard input, one line.") var passwordStdin = false

        func run() async throws {
            try await CommandOutput.reporting {
                let password = try PasswordPrompt.read(fromInput: self.passwordStdin)
                guard !password.isEmpty else { throw ClientFailure("the password is empty") }
                try await AccountsCommand.change(self.options, "PATCH", self.name, Patch(password: password))
            }
        }
    }

    fileprivate struct Patch: Encodable {
        var enabled: Bool?
        var password: String?
    }

    static func change(
        _ options: AdminOptions, _ method: String, _ name: String, _ patch: (any Encodable & Sendable)?,
        below: String = ""
    ) async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(options) { client in
                let path = "/accounts/\(PercentCoding.encode(name.utf8))\(below)"
                let account = try await client.value(AccountAnswer.self, method, path, body: patch)
                Self.show([account], json: options.json)
            }
        }
    }

    fileprivate static func show(_ accounts: [AccountAnswer], json: Bool) {
        guard !json else { return CommandOutput.json(accounts) }
        var table = TextTable("NAME", "STATE", "PASSWORD", "BYTES", "FILES", "REVISION", "CHANGED")
        for account in accounts {
            table.add(
                account.name, account.enabled ? "enabled" : "disabled", account.hasPassword ? "yes" : "no",
                QuotaText.text(account.use?.bytes, account.quotaBytes, isCounting: account.use?.counting),
                QuotaText.text(account.use?.files, account.quotaFiles, isCounting: account.use?.counting),
                "\(account.revision)", Timestamp.text(account.changedAt))
        }
        print(table.text)
    }
}
