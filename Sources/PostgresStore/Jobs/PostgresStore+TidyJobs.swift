package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Keeping the tables of jobs small: partitions ahead, and what ended long ago goes.
///
/// Always by the ordinary lane: these statements take long, and claims must not wait for them. None is prepared, since a
/// plan from when a table was small would read it from end to end later.
extension PostgresStore {
    /// Jobs in a partition, as in `flotilla.extend_jobs`.
    private static let partitionWidth = 4_000_000
    /// Partitions that are there before they are needed.
    private static let partitionsAhead = 2

    package func tidy(
        kept: Duration, limit: Int, partitions most: Int, by leader: LeaderRight
    ) async throws(StoreError) -> TidiedJobs {
        try await self.extendJobs(by: leader)
        let batch = min(max(limit, 1), Self.batchLimit)
        let rows = try await self.upkeepRow(Self.forget(kept: kept, limit: batch, by: leader))
        var tidied = TidiedJobs(rows: Int(try rows.reading(column: 0, as: Int64.self)), partitions: 0)
        // Last, since it may wait for tables that somebody reads; each in a statement of its own, which lets go of its
        // locks on whole tables before the next one asks for some.
        while tidied.partitions < most, try await self.dropOne(kept: kept, by: leader) {
            tidied.partitions += 1
        }
        return tidied
    }

    /// A leader who is asked for without a lock: for statements that need none to be safe, and that take long or wait for
    /// whole tables, while whoever changes the view would wait for the cluster's row, and whoever buries the leader for
    /// the member's.
    ///
    /// What they do is right whoever does it, and twice as well as once: a partition that is there is not made again
    /// (makers take turns; whoever enqueues makes one too); one is dropped only if, looked at again under its locks, nothing
    /// is left in it that has not ended for long, which no later leader can see otherwise. So a former leader does no
    /// harm. Asking spares the others the work.
    private static func leading(_ leader: LeaderRight) -> PostgresStatement {
        """
        leads as materialized (
            select from flotilla.cluster
            where leader_incarnation = \(leader.right.incarnation.rawValue) and leader_term = \(leader.term)
        )
        """
    }

    private func extendJobs(by leader: LeaderRight) async throws(StoreError) {
        let ahead = Self.partitionWidth * Self.partitionsAhead
        _ = try await self.upkeep(
            """
            with \(Self.leading(leader)), missing as materialized (
                select n.last_value as newest from flotilla.job_number n
                where to_regclass('flotilla.outcome_' || ((n.last_value + \(ahead)) / \(Self.partitionWidth))) is null
            )
            select flotilla.extend_jobs(m.newest, m.newest + \(ahead)) from missing m cross join leads
            """)
    }

    /// Answers whether one went; which of several is left to chance.
    private func dropOne(kept: Duration, by leader: LeaderRight) async throws(StoreError) -> Bool {
        let rows = try await self.upkeep(
            """
            with \(Self.leading(leader))
            select flotilla.drop_old_jobs(\(Fragments.interval(kept))) from leads
            """)
        guard let row = rows.first else { return false }
        return try row.reading(column: 0, as: Int32.self) > 0
    }

    /// Numbers of jobs that are gone as whole partitions, or lie below the first one: from `lowest` to below `beyond`.
    private static let gaps: PostgresStatement = """
        gaps as materialized (
            select 0::int8 as lowest, coalesce((select min(id) from flotilla.job), 0) as beyond
            union all
            select p.before + \(unescaped: "\(Self.partitionWidth)"), p.part
            from (
                select c.part, lag(c.part) over (order by c.part) as before from (
                    select substr(c.relname, 5)::int8 * \(unescaped: "\(Self.partitionWidth)") as part
                    from pg_inherits i join pg_class c on c.oid = i.inhrelid
                    where i.inhparent = 'flotilla.job'::regclass and c.relname ~ '^job_[0-9]+$'
                ) c
            ) p
            where p.before + \(unescaped: "\(Self.partitionWidth)") < p.part
        )
        """

    /// Of a table with `job`: those of jobs that are gone with their partition.
    private static func orphans(of table: String, limit: Int) -> PostgresStatement {
        """
        select o.job from gaps g cross join lateral (
            select t.job from flotilla.\(unescaped: table) t where t.job >= g.lowest and t.job < g.beyond
            order by t.job limit \(limit)
        ) o
        """
    }

    /// Rows that ended long ago, lowest numbers first; then what is left of jobs that are gone.
    ///
    /// A submitter's key goes after its job, so while that is there nothing is enqueued twice.
    private static func forget(kept: Duration, limit: Int, by leader: LeaderRight) -> PostgresStatement {
        """
        with \(Fragments.me(leader.right)), old as materialized (
            select l.job from (select job, ended_at from flotilla.outcome order by job limit \(10 * limit)) o
            cross join lateral (
                select l.job from flotilla.outcome l where l.job = o.job limit 1 for update skip locked
            ) l
            where o.ended_at < \(Self.since(kept)) limit \(limit)
        ), submitted as materialized (
            select l.tid from (
                select submitter, idempotency_key, job from flotilla.job_submission
                where at < \(Self.since(kept)) order by at limit \(10 * limit)
            ) s
            cross join lateral (
                select l.ctid as tid from flotilla.job_submission l
                where l.submitter = s.submitter and l.idempotency_key = s.idempotency_key
                limit 1 for update skip locked
            ) l
            where not exists (select from flotilla.job j where j.id = s.job) limit \(limit)
        ), idle as materialized (
            select k.order_key from flotilla.job_key k where k.head = k.tail limit \(limit) for update skip locked
        ), \(Self.gaps), \(Fragments.leader(leader, after: "(select from old union all select from submitted union all select from idle) l")),
        gone as (
            delete from flotilla.outcome where job = any (array(select job from old)) and exists (select from leader)
            returning job
        ), jobs as (
            delete from flotilla.job where id = any (array(select job from gone))
        ), histories as (
            delete from flotilla.job_history h
            where h.job = any (array(
                select job from gone union all (\(Self.orphans(of: "job_history", limit: limit)))))
              and exists (select from leader)
        ), steps as (
            delete from flotilla.job_progress p
            where p.job = any (array(
                select job from gone union all (\(Self.orphans(of: "job_progress", limit: limit)))))
              and exists (select from leader)
        ), keys as (
            delete from flotilla.job_key k
            where k.order_key = any (array(select order_key from idle)) and k.head = k.tail
              and exists (select from leader)
        ), submissions as (
            delete from flotilla.job_submission s where s.ctid = any (array(select tid from submitted))
              and exists (select from leader)
        ), events as (
            delete from flotilla.event e
            where e.id = any (array(
                select id from (select id, at from flotilla.event order by id limit \(limit)) o
                where o.at < \(Self.since(kept))))
              and exists (select from leader)
        )
        select count(*) from gone
        """
    }

    private static func since(_ age: Duration) -> PostgresStatement {
        "statement_timestamp() - \(Fragments.interval(age))"
    }
}
