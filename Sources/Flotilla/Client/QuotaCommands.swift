import ArgumentParser

/// `flotilla accounts quota`.
struct SetQuota: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota", abstract: "Limits what an account may have in its home.",
        discussion: """
            Whole numbers of bytes and files; “none” takes the limit away. What is there already stays, and while it is \
            above the limit nothing may grow.
            """)
    @OptionGroup var options: AdminOptions
    @Argument var name: String
    @Option(help: "The most bytes, or “none”.") var bytes: QuotaLimit?
    @Option(help: "The most files, or “none”. Folders are not counted.") var files: QuotaLimit?

    func validate() throws {
        guard self.bytes != nil || self.files != nil else {
            throw ValidationError("Give --bytes, --files or both.")
        }
    }

    func run() async throws {
        try await AccountsCommand.change(
            self.options, "PATCH", self.name, Patch(quotaBytes: self.bytes, quotaFiles: self.files))
    }

    private struct Patch: Encodable {
        var quotaBytes: QuotaLimit?
        var quotaFiles: QuotaLimit?
    }
}

/// A number, or none; in JSON null.
struct QuotaLimit: ExpressibleByArgument, Encodable, Sendable {
    private var most: Int64?

    init?(argument: String) {
        if argument == "none" { return }
        guard let most = Int64(argument), most >= 0 else { return nil }
        self.most = most
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let most = self.most { try container.encode(most) } else { try container.encodeNil() }
    }
}

/// `flotilla accounts recount`.
struct Recount: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the home of an account with a quota counted, within seconds.",
        discussion: "For files that other programs brought or took. It goes on while files come and go.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String

    func run() async throws {
        try await AccountsCommand.change(self.options, "POST", self.name, nil, below: "/recount")
    }
}

/// How a use of a limit is shown: `12 of 100`, with a tilde while it waits for a count.
enum QuotaText {
    static func text(_ used: Int64?, _ most: Int64?, isCounting: Bool?) -> String {
        guard let used else { return "-" }
        let shown = (isCounting == true ? "~" : "") + "\(used)"
        return most.map { "\(shown) of \($0)" } ?? shown
    }
}
