import AdminHTTP
import ArgumentParser
import HTTPDoor

/// An order for one job or many.
private struct ManyBody: Encodable {
    var action: String
    var ids: [Int64]
    var reason: String?

    func send(_ options: AdminOptions) async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(options) { client in
                let answer = try await client.value(JobsDoneAnswer.self, "POST", "/jobs/many", body: self)
                guard !options.json else { return CommandOutput.json(answer) }
                if !answer.done.isEmpty { print("done: \(Self.list(answer.done))") }
                guard !answer.skipped.isEmpty else { return }
                throw ClientFailure(
                    "not in a state for it, or not there: \(Self.list(answer.skipped)); `flotilla jobs show` says more"
                )
            }
        }
    }

    private static func list(_ ids: [Int64]) -> String { ids.map { "\($0)" }.joined(separator: " ") }
}

struct RetryJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Sends failed or cancelled jobs back, and makes delayed ones ready now.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "Ids of jobs.") var ids: [Int64]

    func run() async throws { try await ManyBody(action: "retry", ids: self.ids).send(self.options) }
}

struct CancelJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Ends jobs that have not ended.",
        discussion: "Who runs one can commit nothing by it from now on, and is told within a heartbeat.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "Ids of jobs.") var ids: [Int64]
    @Option(help: "Why, for the jobs' history.") var reason: String?

    func run() async throws {
        try await ManyBody(action: "cancel", ids: self.ids, reason: self.reason).send(self.options)
    }
}

struct DeleteJobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forgets jobs that have ended, with their history.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "Ids of jobs.") var ids: [Int64]

    func run() async throws { try await ManyBody(action: "delete", ids: self.ids).send(self.options) }
}

// MARK: Policies

struct ListPolicies: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policies", abstract: "Lists limits, weights and places of kinds and accounts.")

    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let page = try await client.value(PageAnswer<PolicyAnswer>.self, "GET", "/job-policies")
                guard !self.options.json else { return CommandOutput.json(page) }
                var table = TextTable("SCOPE", "SLOTS", "PER NODE", "WEIGHT", "REQUIRES")
                for policy in page.items {
                    table.add(
                        policy.scope, policy.slots.map { "\($0)" } ?? "",
                        policy.perNode.map { "\($0)" } ?? "",
                        "\(policy.weight)", policy.requires.joined(separator: " "))
                }
                print(table.text)
            }
        }
    }
}

struct SetPolicy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set-policy", abstract: "Sets the policy of a kind or an account, as a whole.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "kind:NAME or account:NAME.") var scope: String
    @Option(help: "So many run at a time in the whole cluster; 0 holds them all back.") var slots: Int64?
    @Option(help: "So many run at a time on one node.") var perNode: Int64?
    @Option(help: "The share among accounts.") var weight: Double?
    @Option(help: "An attribute that a node must have, name=value; several times for several.")
    var requires: [String] = []

    private struct Body: Encodable {
        var slots: Int64?
        var perNode: Int64?
        var weight: Double?
        var requires: [String: String]?
    }

    func run() async throws {
        var requires: [String: String] = [:]
        for text in self.requires {
            let sides = text.split(separator: "=", maxSplits: 1)
            guard sides.count == 2 else { throw ValidationError("--requires: “\(text)” is not name=value") }
            requires[String(sides[0])] = String(sides[1])
        }
        let body = Body(
            slots: self.slots, perNode: self.perNode, weight: self.weight,
            requires: requires.isEmpty ? nil : requires)
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                CommandOutput.json(
                    try await client.value(
                        PolicyAnswer.self, "PUT", PolicyPath.of(self.scope), body: body))
            }
        }
    }
}

struct RemovePolicy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-policy", abstract: "Removes the policy of a kind or an account.")

    @OptionGroup var options: AdminOptions
    @Argument(help: "kind:NAME or account:NAME.") var scope: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                _ = try await client.send("DELETE", PolicyPath.of(self.scope))
            }
        }
    }
}

private enum PolicyPath {
    static func of(_ scope: String) -> String { "/job-policies/\(PercentCoding.encode(scope.utf8))" }
}
