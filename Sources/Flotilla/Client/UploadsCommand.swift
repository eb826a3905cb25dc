import AdminHTTP
import ArgumentParser
import HTTPDoor

/// The command `flotilla uploads …`.
struct UploadsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uploads", abstract: "Lists resumable uploads, shows who wrote which part, ends one.",
        subcommands: [ListUploads.self, ShowUpload.self, AbortUpload.self],
        defaultSubcommand: ListUploads.self)
}

struct ListUploads: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists resumable uploads, newest first.")

    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of this account.") var account: String?
    @Option(help: "Only those that the node of this name took last.") var node: String?
    @Option(help: "Only these: open, decided, finished, aborted.") var state: String?
    @Option(help: "How many to show, from 1 to 999.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<ResumableAnswer>.self, "GET", "/uploads", query: self.query)
                guard !self.options.json else { return CommandOutput.json(page) }
                UploadOutput.show(page.items)
                if page.next != nil { print("There are more; --limit shows up to 999.") }
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("account", self.account), ("node", self.node), ("state", self.state),
            ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }
}

struct ShowUpload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows an upload, and who wrote which part of it.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The upload's id.") var id: String

    func run() async throws { try await UploadOutput.story("GET", self.id, self.options) }
}

struct AbortUpload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort", abstract: "Ends an upload; its bytes go.",
        discussion: "A request that still sends ends with it. What is whole already stays.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The upload's id.") var id: String

    func run() async throws { try await UploadOutput.story("DELETE", self.id, self.options) }
}

enum UploadOutput {
    static func story(_ method: String, _ id: String, _ options: AdminOptions) async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(options) { client in
                let story = try await client.value(
                    ResumableStoryAnswer.self, method, "/uploads/\(PercentCoding.encode(id.utf8))")
                guard !options.json else { return CommandOutput.json(story) }
                Self.show([story.upload])
                if let reason = story.upload.reason { print(reason) }
                print()
                Self.show(story.segments)
            }
        }
    }

    static func show(_ uploads: [ResumableAnswer]) {
        var table = TextTable(
            "BEGUN", "ID", "STATE", "ACCOUNT", "DURABLE", "LENGTH", "RATE", "NODE", "EPOCH", "EXPIRES", "PATH"
        )
        for upload in uploads {
            table.add(
                Timestamp.text(upload.begunAt), upload.id, upload.state, upload.account, "\(upload.durable)",
                (upload.length ?? upload.announced).map { "\($0)" } ?? "", "\(Int64(upload.rate))/s",
                upload.node ?? "", upload.epoch.map { "\($0)" } ?? "", Timestamp.text(upload.expiresAt),
                upload.path ?? "(a part)")
        }
        print(table.text)
    }

    private static func show(_ segments: [SegmentAnswer]) {
        var table = TextTable(
            "SEGMENT", "BEGUN", "NODE", "INCARNATION", "EPOCH", "FROM", "DURABLE TO", "CLIENT")
        for segment in segments {
            table.add(
                "\(segment.number)", Timestamp.text(segment.begunAt), segment.node, "\(segment.incarnation)",
                "\(segment.epoch)", "\(segment.begin)", "\(segment.durable)", segment.client)
        }
        print(table.text)
    }
}
