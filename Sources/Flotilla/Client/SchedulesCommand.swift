import AdminHTTP
import ArgumentParser
import Foundation
import HTTPDoor

/// The command `flotilla schedules …`.
struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "Says which jobs come again by the clock.",
        subcommands: [
            ListSchedules.self, ShowSchedule.self, CreateSchedule.self, ChangeSchedule.self,
            EnableSchedule.self,
            DisableSchedule.self, DeleteSchedule.self, RunSchedule.self,
        ], defaultSubcommand: ListSchedules.self)
}

struct ListSchedules: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists all schedules.")
    @OptionGroup var options: AdminOptions
    @Option(help: "Only those of this account.") var account: String?
    @Option(help: "Only those that make jobs of this kind.") var kind: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                var query = [("limit", "999")]
                if let account = self.account { query.append(("account", account)) }
                if let kind = self.kind { query.append(("kind", kind)) }
                let schedules = try await client.all(ScheduleAnswer.self, "/schedules", query: query)
                guard !self.options.json else { return CommandOutput.json(schedules) }
                ScheduleOutput.table(schedules)
            }
        }
    }
}

struct ShowSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows one schedule, its newest firings, and why it does not fire.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                let schedule = try await client.value(
                    ScheduleAnswer.self, "GET", ScheduleOutput.path(self.name))
                ScheduleOutput.show(schedule, json: self.options.json)
            }
        }
    }
}

/// What can be said of a schedule when it is made and when it is changed.
struct ScheduleFieldOptions: ParsableArguments {
    @Option(help: "The time between two firings: 90s, 15m, 6h, 1d, 1w.") var every: String?
    @Option(help: "Every day at this time of day in UTC, as in 02:00; instead of --every.") var dailyAt:
        String?
    @Option(help: "Fire at this time and whole periods before and after it, as in 2026-01-31T02:00:00Z.")
    var anchor: String?
    @Option(help: "A JSON value for the handler.") var payload: String?
    @Option(help: "What follows when firings were missed: once, all, none.") var missed: String?
    @Option(help: "What follows when jobs of earlier firings have not ended: wait, skip.") var overlap:
        String?

    func body() throws -> ScheduleBody {
        var body = ScheduleBody()
        body.everySeconds = try self.every.map(Self.seconds)
        body.dailyAt = self.dailyAt
        body.anchor = self.anchor
        body.missed = self.missed
        body.overlap = self.overlap
        if let payload = self.payload {
            guard let value = try? BodyFields.value(Array(payload.utf8)) else {
                throw ValidationError("--payload: “\(payload)” is not JSON")
            }
            body.payload = value
        }
        return body
    }

    private static func seconds(_ text: String) throws -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
        guard let last = text.last, let number = Int64(last.isNumber ? text : String(text.dropLast())),
            let unit = last.isNumber ? 1 : units[last], (1...100_000_000).contains(number)
        else { throw ValidationError("--every: “\(text)” is not like 90s, 15m, 6h, 1d or 1w") }
        return number * unit
    }
}

struct ScheduleBody: Encodable {
    var name: String?
    var kind: String?
    var account: String?
    var everySeconds: Int64?
    var dailyAt: String?
    var anchor: String?
    var payload: JSONValue?
    var missed: String?
    var overlap: String?
    var enabled: Bool?
}

struct CreateSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Makes a schedule; its first firing is after this moment.")
    @OptionGroup var options: AdminOptions
    @Argument(help: "1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit.") var name: String
    @Argument(help: "What is to be done: a kind of job.") var kind: String
    @Option(help: "The account whose share its jobs are taken from; it fires only while that is enabled.")
    var account: String?
    @OptionGroup var fields: ScheduleFieldOptions
    @Flag(help: "Make it, but do not let it fire yet.") var disabled = false

    func run() async throws {
        try await CommandOutput.reporting {
            var body = try self.fields.body()
            body.name = self.name
            body.kind = self.kind
            body.account = self.account
            body.enabled = self.disabled ? false : nil
            let asked = body
            try await AdminClient.with(self.options) { client in
                let schedule = try await client.value(ScheduleAnswer.self, "POST", "/schedules", body: asked)
                ScheduleOutput.show(schedule, json: self.options.json)
            }
        }
    }
}
