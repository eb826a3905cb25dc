import AdminHTTP
import ArgumentParser
import Foundation
import HTTPDoor

/// The command `flotilla jobs …`.
struct JobsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Lists the queue's jobs, says why they wait, and repairs them.",
        subcommands: [
            ListJobs.self, CountJobs.self, ShowJob.self, SubmitJob.self, RetryJobs.self, CancelJobs.self,
            DeleteJobs.self, ListPolicies.self, SetPolicy.self, RemovePolicy.self,
        ], defaultSubcommand: ListJobs.self)
}

struct ListJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists jobs, oldest first.")

    @OptionGroup var options: AdminOptions
    @Option(
        help:
            "Only these: ready, later, waiting, claimed, done, failed, cancelled; several with commas between."
    )
    var state: String?
    @Option(help: "Only this kind.") var kind: String?
    @Option(help: "Only those of the account of this name.") var account: String?
    @Option(help: "Only those that the node of this name has claimed.") var node: String?
    @Option(help: "Only those with this order key.") var orderKey: String?
    @Option(help: "Only those of this submitter.") var submitter: String?
    @Option(help: "id, or -id for the newest first, as in --sort=-id.") var sort: String?
    @Option(help: "How many to show, from 1 to 999.") var limit = 50

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<JobAnswer>.self, "GET", "/jobs", query: self.query)
                guard !self.options.json else { return CommandOutput.json(page) }
                JobOutput.show(page.items)
                if page.next != nil { print("There are more; --limit shows up to 999.") }
            }
        }
    }

    private var query: [(String, String)] {
        let filters: [(String, String?)] = [
            ("state", self.state), ("kind", self.kind), ("account", self.account), ("node", self.node),
            ("order_key", self.orderKey), ("submitter", self.submitter), ("sort", self.sort),
            ("limit", "\(self.limit)"),
        ]
        return filters.compactMap { name, value in value.map { (name, $0) } }
    }
}

struct CountJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "count", abstract: "Says how many jobs there are, and how old the oldest is.")

    @OptionGroup var options: AdminOptions
    @Option(help: "state, kind, account, node; several with commas between.") var by = "state,kind"

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(
                    PageAnswer<JobCountAnswer>.self, "GET", "/jobs/counts", query: [("by", self.by)])
                guard !self.options.json else { return CommandOutput.json(page) }
                var table = TextTable("STATE", "KIND", "ACCOUNT", "NODE", "JOBS", "OLDEST")
                for count in page.items {
                    table.add(
                        count.state ?? "", count.kind ?? "", count.account ?? "", count.node ?? "",
                        "\(count.jobs)", "\(count.oldestSeconds) s")
                }
                print(table.text)
            }
        }
    }
}

struct ShowJob: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows a job, what happened to it, and why it stands where it stands.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "The job's id.") var id: Int64

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let story = try await client.value(JobStoryAnswer.self, "GET", "/jobs/\(self.id)")
                guard !self.options.json else { return CommandOutput.json(story) }
                JobOutput.show([story.job])
                for line in story.because { print("because: \(line)") }
                for entry in story.history {
                    let words = [entry.change, entry.node.map { "on \($0)" }, entry.note].compactMap { $0 }
                    print(
                        "\(Timestamp.text(entry.at))  attempt \(entry.attempt)  \(words.joined(separator: ": "))"
                    )
                }
            }
        }
    }
}

struct SubmitJob: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "submit", abstract: "Enqueues a job.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "What is to be done: a kind of job.") var kind: String
    @Option(help: "The account whose share it is taken from.") var account: String?
    @Option(help: "A JSON value for the handler.") var payload = "{}"
    @Option(help: "0 to 9, 9 first.") var priority: Int64?
    @Option(help: "Not before so many seconds from now.") var delay: Int64?
    @Option(help: "Jobs with the same key run one after the other.") var orderKey: String?
    @Option(help: "The same key enqueues nothing again.") var idempotencyKey: String?

    private struct Body: Encodable {
        var kind: String
        var account: String?
        var payload: JSONValue
        var priority: Int64?
        var delaySeconds: Int64?
        var orderKey: String?
    }

    func run() async throws {
        guard let payload = try? BodyFields.value(Array(self.payload.utf8)) else {
            throw ValidationError("--payload: “\(self.payload)” is not JSON")
        }
        let body = Body(
            kind: self.kind, account: self.account, payload: payload, priority: self.priority,
            delaySeconds: self.delay, orderKey: self.orderKey)
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let headers = self.idempotencyKey.map { [("idempotency-key", $0)] } ?? []
                let answer = try JSONText.value(
                    SubmittedAnswer.self,
                    from: try await client.send("POST", "/jobs", body: body, headers: headers))
                guard !self.options.json else { return CommandOutput.json(answer) }
                print(answer.duplicate ? "job \(answer.id), enqueued before" : "job \(answer.id)")
            }
        }
    }
}

enum JobOutput {
    static func show(_ jobs: [JobAnswer]) {
        var table = TextTable("ID", "KIND", "STATE", "ACCOUNT", "ATTEMPT", "CREATED", "NODE", "NOTE")
        for job in jobs {
            let note =
                job.note ?? job.dueAt.map { "due \(Timestamp.text($0))" }
                ?? job.before.map { "\($0) before it" }
            table.add(
                "\(job.id)", job.kind, job.state, job.account ?? "", "\(job.attempt) of \(job.maxAttempts)",
                Timestamp.text(job.createdAt), job.node ?? "", note ?? "")
        }
        print(table.text)
    }
}
