import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

extension TestDatabase {
    @discardableResult
    func schedule(
        _ name: String, every: Int64 = 3_600, missed: ScheduleMissed = .once,
        overlap: ScheduleOverlap = .wait, account: String? = nil, enabled: Bool = true
    ) async throws -> Schedule {
        var new = NewSchedule(
            name: try #require(ScheduleName(name)), every: every, kind: try #require(JobKind("noop")))
        new.missed = missed
        new.overlap = overlap
        new.account = try account.map { try #require(AccountName($0)) }
        new.enabled = enabled
        new.payload = #"{"n": 1}"#
        guard case .created(let schedule) = try await self.store.create(new) else {
            throw NeverHappened(description: "the schedule \(name) was not created")
        }
        return schedule
    }

    /// The schedule that comes with the schema is in the way of tests that count.
    func withoutSchedules() async throws { try await self.sql("delete from flotilla.schedule") }

    /// As if nothing had been fired, and the anchor had been, so many seconds longer ago.
    func age(_ schedule: Schedule, seconds: Int64) async throws {
        try await self.sql(
            """
            update flotilla.schedule
            set fired_at = fired_at - \(seconds) * interval '1 second', anchor = anchor - \(seconds) * interval '1 second'
            where id = \(schedule.id.rawValue)
            """)
    }

    func lead(_ node: JoinedNode) async throws -> LeaderRight {
        let lead = try #require(try await self.store.takeLead(LeadClaim(right: node.right, term: 0)))
        return LeaderRight(right: node.right, term: lead.term)
    }

    /// All shards, wherever they were assigned to before.
    func assign(_ from: JoinedNode?, to node: JoinedNode, by leader: LeaderRight) async throws {
        let moves = ShardNumber.all.map {
            ShardMove(
                number: $0, from: from?.right.incarnation, to: node.right.incarnation, cause: .unassigned)
        }
        #expect(try await self.store.assign(moves, by: leader).count == ShardNumber.count)
    }

    func take(_ node: JoinedNode, after titles: [ShardTitle] = []) async throws -> [ShardTitle] {
        let known = Dictionary(titles.map { ($0.number, $0.epoch) }, uniquingKeysWith: { $1 })
        return try await self.store.take(
            ShardNumber.all.map { ShardTaking(number: $0, after: known[$0]) }, by: node.right)
    }

    /// A node that owns everything.
    func owner() async throws -> (node: JoinedNode, titles: [ShardTitle]) {
        let node = try await JoinedNode.join(self)
        try await self.assign(nil, to: node, by: try await self.lead(node))
        return (node, try await self.take(node))
    }

    /// What a round would fire now, of all shards.
    func turns() async throws -> [ScheduleTurn] {
        let due = try await self.store.due(in: ShardNumber.all, after: nil, limit: 1_000)
        return due.schedules.compactMap { ScheduleRules.turn(of: $0, at: due.now) }
    }

    func jobs() async throws -> Int { try await self.number("select count(*) from flotilla.job") }

    /// Two calls that both have looked at a row and wait for it; what they answer when it is let go.
    ///
    /// - Parameter row: locks the row for update.
    func raced<Answer: Sendable>(
        _ row: PostgresStatement, _ first: @escaping @Sendable () async throws -> Answer,
        _ second: @escaping @Sendable () async throws -> Answer, holding more: PostgresStatement? = nil
    ) async throws -> [Answer] {
        let session = try await self.session()
        let answers = try await session.transaction(deadline: .seconds(20)) { transaction in
            _ = try await transaction.query(row)
            async let one = first()
            try await self.waitForLockWaiters(1)
            async let two = second()
            try await self.waitForLockWaiters(2)
            if let more { _ = try await transaction.query(more) }
            _ = try await transaction.query(PostgresStatement("commit").unprepared())
            let answers = try await [one, two]
            _ = try await transaction.query(PostgresStatement("begin").unprepared())
            return answers
        }
        await session.close()
        return answers
    }
}
