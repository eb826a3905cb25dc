import ClusterModel
import ClusterPorts
import PostgresDriver

/// The statements by which schedules fire.
///
/// Locks, in this order: the member; shards by number; schedules by id; then those of ``EnqueueStatement``.
enum FireStatement {
    /// Columns: now, the next firing of those of which none is due; then since when one is due and those of
    /// ``ScheduleRow/due``, null without any.
    static func due(in shards: [ShardNumber], after: DueCursor?, limit: Int) -> PostgresStatement {
        var beyond: PostgresStatement = ""
        if let after {
            let due = after.due.microseconds
            beyond = "and (p.next_at, p.id) > (\(ScheduleRow.time("\(due)::int8")), \(after.id.rawValue))"
        }
        return """
            with now as materialized (
                select clock_timestamp() as time
            ), pending as materialized (
                select s.id, flotilla.next_firing(s.anchor, s.every_s, s.fired_at) as next_at
                from flotilla.schedule s
                where s.enabled and s.shard = any (\(shards.map(\.rawValue))) and \(Self.accountEnabled)
            ), due as materialized (
                select p.id, p.next_at from pending p cross join now n
                where p.next_at <= n.time \(beyond)
                order by p.next_at, p.id limit \(limit)
            )
            select \(ScheduleRow.microseconds("n.time")),
                   (select \(ScheduleRow.microseconds("min(p.next_at)")) from pending p where p.next_at > n.time),
                   \(ScheduleRow.microseconds("d.next_at")), \(ScheduleRow.due)
            from now n left join (due d join flotilla.schedule s on s.id = d.id) on true
            order by d.next_at, d.id
            """
    }

    /// One row: the shards that are owned; the schedules that were moved on, and how many jobs each of them
    /// made.
    ///
    /// The schedule's row decides: who waited for it looks at it again, and finds `fired_at` moved on, the
    /// revision risen, or nothing at all.
    static func fire(
        _ turns: [ScheduleTurn], owning titles: [ShardTitle], by right: NodeRight
    ) -> PostgresStatement {
        let jobs = turns.flatMap(\.jobs)
        var statement: PostgresStatement = """
            with \(Fragments.me(right)), \(Self.shards(titles)), \(Self.held(turns))
            """
        if jobs.isEmpty {
            statement.append(
                """
                , made (order_key, jobs, last) as (
                    select null::text, 0::int8, null::int8 where false
                )
                """)
        } else {
            // A key of order is one schedule's, so it says whose jobs these are.
            let enqueued = EnqueueStatement.parts(
                jobs, where: "a.order_key = any (array(select order_key from held where has_room))")
            statement.append(
                """
                , \(enqueued), made as materialized (
                    select order_key, count(*) as jobs, max(id) as last from ranked group by order_key
                )
                """)
        }
        statement.append(
            """
            , moved as (
                update flotilla.schedule s
                set fired_at = h.after, jobs = s.jobs + coalesce(m.jobs, 0),
                    skipped = s.skipped + h.skipped + h.firings - coalesce(m.jobs, 0),
                    last_job = coalesce(m.last, s.last_job),
                    last_at = case when m.last is null then s.last_at else h.after end
                from held h left join made m on m.order_key = h.order_key
                where s.id = h.id
                returning s.id, coalesce(m.jobs, 0) as made
            )
            select array(select number from shard order by number), coalesce(array_agg(id), '{}'),
                   coalesce(array_agg(made), '{}')
            from moved
            """)
        return statement
    }

    /// Rule R3 for many shards: `shard` has a row for each of those that the one who acts owns by these
    /// titles.
    private static func shards(_ titles: [ShardTitle]) -> PostgresStatement {
        """
        shard as materialized (
            select s.number from \(ShardFragments.unnested(titles))
            join flotilla.shard s on s.number = a.number
            where s.epoch = a.epoch and s.incarnation = (select incarnation from me)
            order by s.number
            for key share of s
        )
        """
    }

    /// The schedules that stand where they were read, locked, each with whether there is room for more jobs
    /// of its own.
    ///
    /// The shards come in as an array, which is computed once: a row that is looked at again is compared
    /// with the same one.
    private static func held(_ turns: [ScheduleTurn]) -> PostgresStatement {
        """
        held as materialized (
            select s.id, 'schedule/' || s.id as order_key, \(ScheduleRow.time("t.after")) as after, t.firings, t.skipped,
                   coalesce((
                       select k.tail - k.head from flotilla.job_key k where k.order_key = 'schedule/' || s.id
                   ), 0) < case s.overlap when 'skip' then 1 else \(Int64(ScheduleRules.mostWaiting)) end as has_room
            from unnest(
                \(turns.map(\.schedule.id.rawValue)), \(turns.map(\.schedule.revision)),
                \(turns.map(\.schedule.firedAt.microseconds)), \(turns.map(\.firedAt.microseconds)),
                \(turns.map { Int64($0.firings.count) }), \(turns.map(\.skipped))
            ) as t (id, revision, before, after, firings, skipped)
            join flotilla.schedule s on s.id = t.id
            where s.enabled and s.revision = t.revision and s.fired_at = \(ScheduleRow.time("t.before"))
              and s.shard = any (array(select number from shard)) and \(Self.accountEnabled)
            order by s.id
            for no key update of s
        )
        """
    }

    /// Of a schedule's row `s`.
    private static let accountEnabled: PostgresStatement = """
        (s.account_id is null or exists (
            select from flotilla.account a where a.id = s.account_id and a.enabled))
        """
}
