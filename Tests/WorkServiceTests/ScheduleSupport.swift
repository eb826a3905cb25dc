import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

/// A node that owns all shards; kept so that it stays a member.
struct ShardOwner {
    let node: JoinedNode
    let titles: [ShardTitle]
    var right: NodeRight { self.node.right }
}

extension TestDatabase {
    @discardableResult
    func sql(_ statement: PostgresStatement) async throws -> PostgresRows {
        try await self.pool.query(statement.unprepared())
    }

    /// Without the schedule that comes with the schema.
    func owner() async throws -> ShardOwner {
        try await self.sql("delete from flotilla.schedule")
        let node = try await JoinedNode.join(self)
        let lead = try #require(try await self.store.takeLead(LeadClaim(right: node.right, term: 0)))
        let leader = LeaderRight(right: node.right, term: lead.term)
        let moves = ShardNumber.all.map {
            ShardMove(number: $0, from: nil, to: node.right.incarnation, cause: .unassigned)
        }
        #expect(try await self.store.assign(moves, by: leader).count == ShardNumber.count)
        let titles = try await self.store.take(
            ShardNumber.all.map { ShardTaking(number: $0, after: nil) }, by: node.right)
        return ShardOwner(node: node, titles: titles)
    }

    func schedule(_ name: String, every: Int64) async throws -> Schedule {
        let new = NewSchedule(
            name: try #require(ScheduleName(name)), every: every, kind: try #require(JobKind("noop")))
        let answer = try await self.store.create(new)
        guard case .created(let schedule) = answer else {
            Issue.record("\(answer)")
            throw CancellationError()
        }
        return schedule
    }

    func age(_ schedule: Schedule, seconds: Int64) async throws {
        try await self.sql(
            """
            update flotilla.schedule
            set fired_at = fired_at - \(seconds) * interval '1 second', anchor = anchor - \(seconds) * interval '1 second'
            where id = \(schedule.id.rawValue)
            """)
    }
}

final class TestShardDesk: ShardDesk {
    private let titles = Mutex<Set<ShardTitle>>([])
    private let held: Bool

    init(holds held: Bool = true) { self.held = held }

    var lost: Set<ShardTitle> { self.titles.withLock { $0 } }
    func holds(_ title: ShardTitle) -> Bool { self.held }
    func lost(_ title: ShardTitle) { self.titles.withLock { _ = $0.insert(title) } }
}

/// The real store; counts its statements, and perhaps loses the answers of those that fire.
final class CountingStore: ScheduleFiringStore {
    private let store: PostgresStore
    private let losesAnswers: Bool
    private let count = Mutex(0)

    init(_ store: PostgresStore, losesAnswers: Bool = false) {
        self.store = store
        self.losesAnswers = losesAnswers
    }

    var calls: Int { self.count.withLock { $0 } }

    func due(
        in shards: [ShardNumber], after: DueCursor?, limit: Int
    ) async throws(StoreError) -> DueSchedules {
        self.count.withLock { $0 += 1 }
        return try await self.store.due(in: shards, after: after, limit: limit)
    }

    func fire(
        _ turns: [ScheduleTurn], owning titles: [ShardTitle], by right: NodeRight
    ) async throws(StoreError) -> ScheduleFired {
        self.count.withLock { $0 += 1 }
        let fired = try await self.store.fire(turns, owning: titles, by: right)
        guard !self.losesAnswers else { throw .mayHaveRun("the answer was lost") }
        return fired
    }
}

final class CallCount: Sendable {
    private let value = Mutex(0)
    var count: Int { self.value.withLock { $0 } }
    func add() { self.value.withLock { $0 += 1 } }
}

/// A database that is away.
struct NoStore: ScheduleFiringStore {
    func due(
        in shards: [ShardNumber], after: DueCursor?, limit: Int
    ) async throws(StoreError) -> DueSchedules { throw .notRun("no connection") }

    func fire(
        _ turns: [ScheduleTurn], owning titles: [ShardTitle], by right: NodeRight
    ) async throws(StoreError) -> ScheduleFired { throw .notRun("no connection") }
}
