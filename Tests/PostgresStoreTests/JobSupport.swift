import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

let someAccount = AccountID(UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)))

func spec(
    _ kind: String = "noop", account: AccountID? = someAccount, key: String? = nil, delay: Duration? = nil,
    id: String? = nil, payload: String = #"{"n": 1}"#, attempts: Int = 20, deadline: Duration? = nil
) throws -> JobSpec {
    var spec = JobSpec(
        kind: try #require(JobKind(kind)), account: account, payload: payload, submitter: "test")
    spec.orderKey = key
    spec.delay = delay
    spec.idempotencyKey = id
    spec.maxAttempts = attempts
    spec.deadline = deadline
    return spec
}

/// What several tasks add to.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func get() -> Value { self.value.withLock { $0 } }
    @discardableResult
    func change<Answer: Sendable>(_ body: @Sendable (inout Value) -> Answer) -> Answer {
        self.value.withLock { body(&$0) }
    }
}

extension EnqueueAnswer {
    var enqueued: JobID? { if case .enqueued(let id) = self { id } else { nil } }
}

extension TestDatabase {
    @discardableResult
    func enqueue(_ specs: [JobSpec]) async throws -> [JobID] {
        try await self.store.enqueue(specs).map { try #require($0.enqueued, "\($0)") }
    }

    @discardableResult
    func enqueue(_ spec: JobSpec) async throws -> JobID { try #require(try await self.enqueue([spec]).first) }

    /// Whatever is ready in any lane, up to so many of each.
    func claim(_ most: Int = 1_000, by node: JoinedNode, _ store: PostgresStore? = nil) async throws
        -> [ClaimedJob]
    {
        let store = store ?? self.store
        let lanes = try await store.survey(after: nil, lanes: 100, depth: 1_000)
        guard !lanes.isEmpty else { return [] }
        let shares = lanes.map {
            LaneShare(
                lane: $0.lane, kind: $0.kind, account: $0.account, from: nil,
                most: min(most, 1_000 / lanes.count))
        }
        return try #require(try await store.claim(shares, by: node.right), "the node is dead")
    }

    func one(by node: JoinedNode) async throws -> ClaimedJob {
        try #require(try await self.claim(1, by: node).first, "nothing is ready")
    }

    @discardableResult
    func finish(_ titles: [JobTitle], _ end: JobEnd = .done(note: nil), by node: JoinedNode) async throws
        -> [JobEndAnswer]
    {
        try await self.store.finish(titles.map { JobEnding(title: $0, end: end) }, by: node.right)
    }

    @discardableResult
    func finish(_ job: ClaimedJob, _ end: JobEnd = .done(note: nil), by node: JoinedNode) async throws
        -> JobEndAnswer
    {
        try #require(try await self.finish([job.title], end, by: node).first)
    }

    /// Where a job stands.
    func place(_ job: JobID) async throws -> String {
        try await self.sql(
            """
            select coalesce(string_agg(p, ' and '), 'nowhere') from (
                select 'ready' as p from flotilla.ready where job = \(job.rawValue)
                union all select 'later' from flotilla.later where job = \(job.rawValue)
                union all select 'waiting' from flotilla.waiting where job = \(job.rawValue)
                union all select 'claim' from flotilla.claim where job = \(job.rawValue)
                union all select 'ended ' || status::text from flotilla.outcome where job = \(job.rawValue)) x
            """
        ).exactlyOne()[0, as: String.self]
    }

    func history(_ job: JobID) async throws -> [String] {
        try await self.sql(
            "select change from flotilla.job_history where job = \(job.rawValue) order by number"
        )
        .map { try $0[0, as: String.self] }
    }

    func expectNoFaults(_ location: SourceLocation = #_sourceLocation) async throws {
        let faults = try await JobPlaces.faults(self.pool)
        #expect(faults == [], sourceLocation: location)
    }

    func policy(_ scope: String, slots: Int) async throws {
        let kind = try #require(JobKind(scope))
        _ = try await self.store.set(
            JobPolicy(scope: .kind(kind), slots: slots, perNode: nil, weight: 1, requires: [], revision: 0),
            ifRevision: nil)
    }
}
