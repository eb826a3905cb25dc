package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Taking jobs, and reading what was taken.
extension PostgresStore {
    /// Each time a limit came into being in the same moment.
    private static let claimAttempts = 4

    package func claim(_ shares: [LaneShare], by right: NodeRight) async throws(StoreError) -> [ClaimedJob]? {
        guard !shares.isEmpty else { return [] }
        try Self.check(batch: shares.reduce(0) { $0 + $1.most })
        guard Set(shares.map(\.lane)).count == shares.count, shares.allSatisfy({ $0.most >= 1 }) else {
            throw .refused(
                sqlState: "22000",
                message: "a claim names each lane once and asks for at least one job of each")
        }
        var statement = ClaimStatement.claim(shares, by: right)
        var isStale = false
        for attempt in 0..<Self.claimAttempts {
            let rows = try await self.queue(statement)
            guard let first = rows.first else { return nil }
            let (active, stale, limited) = (
                try first.reading(column: 0, as: Bool.self), try first.reading(column: 1, as: Bool.self),
                try first.reading(column: 2, as: Bool.self)
            )
            isStale = stale
            guard active, stale || limited else { return active ? try Self.claimedJobs(rows, from: 3) : [] }
            statement =
                limited
                ? LimitedClaimStatement.claim(shares, by: right, attempt: attempt)
                : ClaimStatement.claim(shares, by: right)
        }
        if isStale { try await self.raiseLimitNumber() }
        return []
    }

    /// Notes a limit's number that nobody has noted.
    ///
    /// Whoever made the limit drew it and did not come to note it, or a crash has put the sequence ahead of it, since
    /// sequences log 32 numbers at a time. A higher number is right for everybody; the row orders those who raise it.
    private func raiseLimitNumber() async throws(StoreError) {
        _ = try await self.queue(
            """
            update flotilla.job_limit set number = nextval('flotilla.job_limit_number')
            where number <> (select last_value from flotilla.job_limit_number)
            """)
    }

    package func claims(of right: NodeRight, after title: JobTitle?) async throws(StoreError) -> [ClaimedJob]
    {
        try Self.claimedJobs(
            await self.queue(
                """
                select \(JobRow.claimed) from (
                    select * from flotilla.claim c
                    where c.incarnation = \(right.incarnation.rawValue)
                      and (c.epoch, c.job) > (\(title?.epoch.rawValue ?? 0), \(title?.job.rawValue ?? 0))
                    order by c.epoch, c.job limit \(Self.batchLimit)
                ) h
                cross join lateral (
                    select h.job, h.epoch, h.lane, h.attempt, \(JobRow.columns(rank: "h.rank"))
                    from flotilla.job j where j.id = h.job limit 1
                ) c
                left join lateral (
                    select p.checkpoint from flotilla.job_progress p where p.job = c.job limit 1
                ) p on true
                order by c.epoch, c.job
                """), from: 0)
    }

    /// The first row stands alone, without a job, when nothing was claimed.
    private static func claimedJobs(_ rows: PostgresRows, from start: Int) throws(StoreError) -> [ClaimedJob]
    {
        var jobs: [ClaimedJob] = []
        jobs.reserveCapacity(rows.count)
        for row in rows where try row.reading(column: start, as: Int64?.self) != nil {
            jobs.append(try JobRow.claimed(row, from: start))
        }
        return jobs
    }

    /// As ``run(_:)``; what ended in a circle of waits did nothing, and is run again a few times.
    func queue(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRows {
        try await self.queue(statement, on: self.lane)
    }

    /// For what may take long: never on the lane of the claims, where accusations and leases would wait for it.
    func upkeep(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRows {
        try await self.queue(statement.unprepared(), on: self.pool.lane(.ordinary))
    }

    func upkeepRow(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRow {
        try Self.only(await self.upkeep(statement))
    }

    private func queue(
        _ statement: PostgresStatement, on lane: PostgresPoolLane
    ) async throws(StoreError) -> PostgresRows {
        for _ in 0..<Self.circleAttempts {
            do throws(PostgresError) {
                return try await lane.query(statement)
            } catch {
                guard case .failed(let server) = error, server.sqlState == .deadlockDetected else {
                    throw StoreError(error)
                }
            }
        }
        throw .notRun("each of \(Self.circleAttempts) attempts ended in a circle of waits")
    }

    private static let circleAttempts = 4

    func queueRow(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRow {
        try Self.only(await self.queue(statement))
    }
}
