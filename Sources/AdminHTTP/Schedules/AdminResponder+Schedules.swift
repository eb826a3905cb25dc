import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Schedules: what comes again by the clock.
extension AdminResponder {
    /// How many firings a schedule's page shows.
    private static let firingsShown = 20

    func answerSchedules(
        _ route: ScheduleRoute, _ request: Request, _ query: [RequestTarget.QueryItem],
        _ channel: any Channel,
        by asker: String
    ) async throws -> Response {
        switch route {
        case .list: return try await self.listSchedules(query)
        case .create, .one, .change, .remove, .run: try QueryReader(query).finish()
        }
        switch route {
        case .list: preconditionFailure("\(route) was answered")
        case .create:
            return try await self.createSchedule(ScheduleOrder(try await self.body(of: request, channel)))
        case .one(let name): return try await self.showSchedule(name)
        case .change(let name):
            let patch = try SchedulePatch(
                try await self.body(of: request, channel), ifMatch: request.headers[.ifMatch])
            let answer = try await self.named(name) { (name) async throws(StoreError) in
                try await self.schedules.change(name, patch.change, ifRevision: patch.revision)
            }
            return self.show(try Self.changed(answer, name), .ok)
        case .remove(let name):
            let revision = try AccountTag.revision(request.headers[.ifMatch])
            let answer = try await self.named(name) { (name) async throws(StoreError) in
                try await self.schedules.remove(name, ifRevision: revision)
            }
            _ = try Self.changed(answer, name)
            return Response(status: .noContent)
        case .run(let name):
            return try await self.runSchedule(name, key: request.headers[.idempotencyKey], by: asker)
        }
    }

    private func listSchedules(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try ScheduleFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.schedules.schedules(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { ScheduleFilters.cursor(after: $0, query) },
            answer: { ScheduleAnswer($0) })
        return JSONText.response(.ok, page)
    }

    private func createSchedule(_ order: ScheduleOrder) async throws(Problem) -> Response {
        let new = order.schedule
        guard self.jobKinds.contains(new.kind) else {
            let known = self.jobKinds.map(\.description).sorted().joined(separator: ", ")
            throw BodyFields.invalid("kind", "“\(new.kind)” is none of \(known)")
        }
        let answer = try await self.onStore { () async throws(StoreError) in
            try await self.schedules.create(new)
        }
        switch answer {
        case .created(let schedule):
            return self.show(schedule, .created, location: "/api/v1/schedules/\(schedule.name)")
        case .taken:
            throw Problem(.conflict, .taken, "there is a schedule “\(new.name)” already")
                .with("name", new.name.description)
        case .unknownAccount:
            throw BodyFields.invalid("account", "there is no account “\(new.account?.description ?? "")”")
        case .tooMany:
            throw Problem(
                .conflict, .exists, "there are \(ScheduleLimits.most) schedules already; that is the most")
        }
    }

    private func showSchedule(_ text: String) async throws(Problem) -> Response {
        let schedule = try await self.schedule(text)
        let firings = try await self.onStore { () async throws(StoreError) in
            try await self.schedules.firings(
                of: schedule.id, named: schedule.name, limit: Self.firingsShown)
        }
        return self.show(schedule, .ok, firings: firings)
    }

    /// A job beside those of the clock, in line with them; also of a schedule that is disabled.
    private func runSchedule(_ text: String, key: String?, by asker: String) async throws(Problem) -> Response
    {
        let key = try JobSubmission.checked(idempotencyKey: key)
        let schedule = try await self.schedule(text)
        var account: AccountID?
        if let name = schedule.account {
            do throws(AccountDeskError) {
                account = try await self.desk.account(named: name.description).id
            } catch { throw AdminProblems.problem(error) }
        }
        var spec = JobSpec(kind: schedule.kind, account: account, payload: schedule.payload, submitter: asker)
        spec.orderKey = schedule.id.orderKey
        spec.idempotencyKey = key
        let complete = spec
        let answers = try await self.onStore { () async throws(StoreError) in
            try await self.jobs.enqueue([complete])
        }
        switch answers.first {
        case .enqueued(let id)?:
            self.doorbell?.ring()
            return Self.submitted(id, .accepted, duplicate: false)
        case .duplicate(let id)?: return Self.submitted(id, .ok, duplicate: true)
        case .keyReused(let id)?:
            throw Problem(
                .conflict, .taken,
                "the idempotency key was used for another request, or before the schedule was changed: it made job \(id)"
            ).with("job", "\(id)")
        case nil: throw Problem(.internalServerError, .failed, "the queue did not answer")
        }
    }

    private static func submitted(_ id: JobID, _ status: HTTPResponse.Status, duplicate: Bool) -> Response {
        JSONText.response(
            status, SubmittedAnswer(id: id.rawValue, duplicate: duplicate),
            headers: [.location: "/api/v1/jobs/\(id)"])
    }

    private func show(
        _ schedule: Schedule, _ status: HTTPResponse.Status, firings: [ScheduleFiring]? = nil,
        location: String? = nil
    ) -> Response {
        var headers: HTTPFields = [.eTag: AccountTag.text(schedule.revision)]
        headers[.location] = location
        return JSONText.response(status, ScheduleAnswer(schedule, firings: firings), headers: headers)
    }

    private func schedule(_ text: String) async throws(Problem) -> Schedule {
        let found = try await self.named(text) { (name) async throws(StoreError) in
            try await self.schedules.schedule(named: name)
        }
        guard let found else { throw AdminProblems.unknown("schedule", text) }
        return found
    }

    private func named<Answer>(
        _ text: String, _ call: (ScheduleName) async throws(StoreError) -> Answer
    ) async throws(Problem) -> Answer {
        guard let name = ScheduleName(text) else { throw AdminProblems.unknown("schedule", text) }
        return try await self.onStore { () async throws(StoreError) in try await call(name) }
    }

    private static func changed(_ answer: ChangeAnswer<Schedule>, _ name: String) throws(Problem) -> Schedule
    {
        switch answer {
        case .changed(let schedule): return schedule
        case .unknown: throw AdminProblems.unknown("schedule", name)
        case .conflict(let revision):
            let tag = AccountTag.text(revision)
            throw Problem(.preconditionFailed, .changed, "the schedule has the entity tag \(tag) now")
                .with(header: .eTag, tag)
        }
    }
}
