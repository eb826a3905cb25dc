import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import NIOCore

/// The queue: what waits and why, what failed, and what operators do about it.
extension AdminResponder {
    func answerJobs(
        _ route: JobRoute, _ request: Request, _ target: RequestTarget, by asker: String,
        _ channel: any Channel
    ) async throws -> Response {
        switch route {
        case .list: return try await self.listJobs(target.query)
        case .counts:
            let grouping = try JobFilters.grouping(target.query)
            let counts = try await self.onStore { () async throws(StoreError) in
                try await self.jobs.counts(grouping)
            }
            return JSONText.response(.ok, PageAnswer(counts.map(JobCountAnswer.init), next: nil))
        case .submit, .show, .retry, .cancel, .delete, .many, .policies, .setPolicy, .removePolicy:
            try QueryReader(target.query).finish()
        }
        switch route {
        case .list, .counts: preconditionFailure("\(route) was answered before")
        case .submit:
            return try await self.submit(
                try JobSubmission(
                    try await self.body(of: request, channel),
                    idempotencyKey: request.headers[.idempotencyKey], submitter: asker))
        case .show(let id): return try await self.showJob(id)
        case .retry(let id):
            _ = try JobReason.of(try await self.body(of: request, channel))
            return try await self.changeJob(id, .retry, by: asker, reason: nil)
        case .cancel(let id):
            let reason = try JobReason.of(try await self.body(of: request, channel))
            return try await self.changeJob(id, .cancel, by: asker, reason: reason)
        case .delete(let id): return try await self.changeJob(id, .delete, by: asker, reason: nil)
        case .many:
            let order = try JobOrder(try await self.body(of: request, channel))
            let done = try await self.order(order.action, order.ids, by: asker, reason: order.reason)
            return JSONText.response(.ok, JobsDoneAnswer(asked: order.ids, done: done))
        case .policies, .setPolicy, .removePolicy:
            return try await self.answerPolicies(route, request, channel)
        }
    }

    private func listJobs(_ items: [RequestTarget.QueryItem]) async throws -> Response {
        let asked = try JobFilters.query(items)
        var query = asked.query
        if let account = asked.account { query.account = try await self.account(account.description).id }
        let complete = query
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.jobs.jobs(complete)
        }
        let page = PageAnswer(
            found, limit: asked.limit, cursor: { JobFilters.cursor(after: $0, of: asked.list) },
            answer: JobAnswer.init)
        return JSONText.response(.ok, page)
    }

    private func submit(_ submission: JobSubmission) async throws -> Response {
        var spec = submission.spec
        guard self.jobKinds.contains(spec.kind) else {
            let known = self.jobKinds.map(\.description).sorted().joined(separator: ", ")
            throw BodyFields.invalid("kind", "“\(spec.kind)” is none of \(known)")
        }
        let reading = self.readPayload(spec)
        if let fault = reading.fault {
            let field = fault.field.isEmpty ? "payload" : "payload.\(fault.field)"
            throw BodyFields.invalid(field, "it \(fault.reason)")
        }
        if let account = submission.account {
            spec.account = try await self.account(account).id
        } else if let account = reading.account {
            spec.account = try await self.account(account.description).id
        }
        let complete = spec
        let answers = try await self.onStore { () async throws(StoreError) in
            try await self.jobs.enqueue([complete])
        }
        switch answers.first {
        case .enqueued(let id)?:
            self.doorbell?.ring()
            return JSONText.response(
                .accepted, SubmittedAnswer(id: id.rawValue, duplicate: false),
                headers: [.location: "/api/v1/jobs/\(id)"])
        case .duplicate(let id)?:
            return JSONText.response(
                .ok, SubmittedAnswer(id: id.rawValue, duplicate: true),
                headers: [.location: "/api/v1/jobs/\(id)"])
        case .keyReused(let id)?:
            throw Problem(
                .conflict, .taken, "the idempotency key was used for another request: it made job \(id)"
            ).with("job", "\(id)")
        case nil: throw Problem(.internalServerError, .failed, "the queue did not answer")
        }
    }

    private func showJob(_ text: String) async throws(Problem) -> Response {
        let id = try Self.jobID(text)
        let found = try await self.onStore { () async throws(StoreError) in try await self.jobs.job(id) }
        guard let found else { throw AdminProblems.unknown("job", text) }
        return JSONText.response(
            .ok, JobStoryAnswer(found.record, found.history, because: await self.explain(found.record)))
    }

    private func changeJob(
        _ text: String, _ action: JobOrder.Action, by asker: String, reason: String?
    ) async throws(Problem) -> Response {
        let id = try Self.jobID(text)
        let done = try await self.order(action, [id], by: asker, reason: reason)
        if action == .delete, done == [id] { return Response(status: .noContent) }
        let found = try await self.onStore { () async throws(StoreError) in try await self.jobs.job(id) }
        guard let found else { throw AdminProblems.unknown("job", text) }
        guard done == [id] else {
            throw Problem(
                .conflict, .changed,
                "job \(id) is \(found.record.state.rawValue): it cannot be \(action.done)"
            ).with("state", found.record.state.rawValue)
        }
        return JSONText.response(.ok, JobAnswer(found.record))
    }

    private func order(
        _ action: JobOrder.Action, _ ids: [JobID], by asker: String, reason: String?
    ) async throws(Problem) -> [JobID] {
        let done = try await self.onStore { () async throws(StoreError) in
            switch action {
            case .retry: try await self.jobs.retry(ids, by: asker)
            case .cancel: try await self.jobs.cancel(ids, by: asker, reason: reason)
            case .delete: try await self.jobs.delete(ids)
            }
        }
        if action == .retry, !done.isEmpty { self.doorbell?.ring() }
        return done
    }

    private func explain(_ job: JobRecord) async -> [String] {
        guard let explainer = self.explainer else { return [] }
        return await explainer.because(job)
    }

    private static func jobID(_ text: String) throws(Problem) -> JobID {
        guard let id = Int64(text).flatMap({ JobID(rawValue: $0) }) else {
            throw AdminProblems.unknown("job", text)
        }
        return id
    }

    private func account(_ name: String) async throws -> Account {
        do throws(AccountDeskError) {
            return try await self.desk.account(named: name)
        } catch { throw AdminProblems.problem(error) }
    }
}

extension JobOrder.Action {
    fileprivate var done: String {
        switch self {
        case .retry: "sent back"
        case .cancel: "cancelled"
        case .delete: "deleted; cancel it first"
        }
    }
}

extension HTTPField.Name {
    static let idempotencyKey: HTTPField.Name = {
        guard let name = HTTPField.Name("Idempotency-Key") else {
            preconditionFailure("a name that is written down")
        }
        return name
    }()
}
