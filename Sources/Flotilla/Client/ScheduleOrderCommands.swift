import AdminHTTP
import ArgumentParser
import ClusterModel
import Foundation
import HTTPDoor
import NIOCore

/// Which revision of a schedule somebody means to change.
struct ScheduleRevisionOption: ParsableArguments {
    @Option(
        help:
            "Only if it still has this revision, as `show` said; without it, the one that it has when the command begins."
    )
    var revision: Int64?

    /// `If-Match`, so that nothing is overwritten that nobody here has seen.
    func condition(_ name: String, _ client: AdminClient) async throws -> [(String, String)] {
        var revision = self.revision
        if revision == nil {
            revision = try await client.value(
                ScheduleAnswer.self, "GET", ScheduleOutput.path(name)
            ).revision
        }
        return revision.map { [("if-match", AccountTag.text($0))] } ?? []
    }

    func change(_ name: String, _ body: ScheduleBody, _ options: AdminOptions) async throws {
        try await AdminClient.with(options) { client in
            let answer = try await client.send(
                "PATCH", ScheduleOutput.path(name), body: body,
                headers: try await self.condition(name, client))
            ScheduleOutput.show(
                try JSONText.value(ScheduleAnswer.self, from: answer), json: options.json)
        }
    }
}

struct ChangeSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "change",
        abstract: "Changes a schedule; what is not given stays. New times count from this moment.")
    @OptionGroup var options: AdminOptions
    @OptionGroup var revision: ScheduleRevisionOption
    @Argument var name: String
    @OptionGroup var fields: ScheduleFieldOptions

    func run() async throws {
        try await CommandOutput.reporting {
            try await self.revision.change(self.name, try self.fields.body(), self.options)
        }
    }
}

struct EnableSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable", abstract: "Lets a schedule fire from this moment on.")
    @OptionGroup var options: AdminOptions
    @OptionGroup var revision: ScheduleRevisionOption
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await self.revision.change(self.name, ScheduleBody(enabled: true), self.options)
        }
    }
}

struct DisableSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable", abstract: "Lets a schedule fire no more; its jobs stay.")
    @OptionGroup var options: AdminOptions
    @OptionGroup var revision: ScheduleRevisionOption
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await self.revision.change(self.name, ScheduleBody(enabled: false), self.options)
        }
    }
}

struct DeleteSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Forgets a schedule; its jobs stay.")
    @OptionGroup var options: AdminOptions
    @OptionGroup var revision: ScheduleRevisionOption
    @Argument var name: String

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                _ = try await client.send(
                    "DELETE", ScheduleOutput.path(self.name),
                    headers: try await self.revision.condition(self.name, client))
            }
        }
    }
}

struct RunSchedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Makes one job of a schedule now, whether it is enabled or not.")
    @OptionGroup var options: AdminOptions
    @Argument var name: String
    @Option(help: "The same key makes no second job.") var idempotencyKey: String?

    func run() async throws {
        try await CommandOutput.reporting {
            try await AdminClient.with(self.options) { client in
                // A key of its own: an answer that is lost on the way is no reason for a second job.
                let key = self.idempotencyKey ?? UUID().uuidString.lowercased()
                let answer = try JSONText.value(
                    SubmittedAnswer.self,
                    from: try await client.send(
                        "POST", ScheduleOutput.path(self.name) + "/run",
                        headers: [("idempotency-key", key)]))
                guard !self.options.json else { return CommandOutput.json(answer) }
                print(answer.duplicate ? "job \(answer.id), enqueued before" : "job \(answer.id)")
            }
        }
    }
}

enum ScheduleOutput {
    static func path(_ name: String) -> String { "/schedules/\(PercentCoding.encode(name.utf8))" }

    static func table(_ schedules: [ScheduleAnswer]) {
        var table = TextTable(
            "NAME", "KIND", "ACCOUNT", "WHEN", "MISSED", "OVERLAP", "NEXT", "LAST", "JOBS", "SKIPPED")
        for schedule in schedules {
            table.add(
                schedule.name, schedule.kind, schedule.account ?? "", Self.rhythm(schedule),
                schedule.missed.rawValue, schedule.overlap.rawValue,
                schedule.nextAt.map(Timestamp.text) ?? "never: " + schedule.because.joined(separator: "; "),
                schedule.lastAt.map(Timestamp.text) ?? "", "\(schedule.jobs)", "\(schedule.skipped)")
        }
        print(table.text)
    }

    static func show(_ schedule: ScheduleAnswer, json: Bool) {
        guard !json else { return CommandOutput.json(schedule) }
        Self.table([schedule])
        print("payload: \(String(buffer: JSONText.buffer(schedule.payload)))")
        print("order key: \(schedule.orderKey)  shard: \(schedule.shard)  revision: \(schedule.revision)")
        for line in schedule.because { print("because: \(line)") }
        for firing in schedule.firings ?? [] {
            print("due \(firing.due)  job \(firing.job)  \(firing.outcome ?? "not ended")")
        }
    }

    private static func rhythm(_ schedule: ScheduleAnswer) -> String {
        if let time = schedule.dailyAt { return "daily at \(time) UTC" }
        for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60)] as [(String, Int64)]
        where schedule.everySeconds % seconds == 0 {
            return "every \(schedule.everySeconds / seconds)\(unit)"
        }
        return "every \(schedule.everySeconds)s"
    }
}
