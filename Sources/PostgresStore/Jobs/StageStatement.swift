import ClusterModel
import PostgresDriver

/// Statements that make jobs ready.
///
/// Whatever somebody else has locked is left to him.
enum StageStatement {
    /// What is due, and what the order of keys lets through; one row with how many became ready, the microseconds
    /// until the next one is due (null for never), and whether some are left.
    static func all(limit: Int, by right: NodeRight) -> PostgresStatement {
        """
        with \(Fragments.me(right)), due as materialized (
            select l.ctid as tid from flotilla.later l
            where l.due_at <= statement_timestamp() and exists (select from me)
            order by l.due_at, l.job limit \(limit)
            for update skip locked
        ), gone as (
            delete from flotilla.later l where l.ctid = any (array(select tid from due))
            returning l.lane, l.rank, l.job, l.attempt
        ), staged as (
            insert into flotilla.ready (lane, rank, job, attempt)
            select lane, rank, job, attempt from gone
            returning job
        ), \(Self.keys(from: Self.dueKeys(limit: limit))), became as materialized (
            select job from staged union all select job from passed
        ), \(JobFragments.news(ifAny: "became"))
        select (select count(*) from became), n.number, (
                   select (extract(epoch from l.due_at - clock_timestamp()) * 1000000)::int8 from flotilla.later l
                   where l.due_at > statement_timestamp() order by l.due_at limit 1),
               (select count(*) from due) >= \(limit) or (select count(*) from keys) >= \(limit)
        from news n
        """
    }

    /// The same for some keys only.
    static func keys(_ keys: [String], by right: NodeRight) -> PostgresStatement {
        """
        with \(Fragments.me(right)), \(Self.keys(from: Self.theseKeys(keys))), \(JobFragments.news(ifAny: "passed"))
        select (select count(*) from passed), n.number from news n
        """
    }

    private static func dueKeys(limit: Int) -> PostgresStatement {
        """
        select k.order_key, k.head, k.tail from flotilla.job_key k
        where k.passed < k.head and k.head < k.tail and exists (select from me)
        order by k.order_key limit \(limit)
        """
    }

    private static func theseKeys(_ keys: [String]) -> PostgresStatement {
        """
        select k.order_key, k.head, k.tail from flotilla.job_key k
        where k.order_key = any (\(keys)) and k.passed < k.head and k.head < k.tail and exists (select from me)
        """
    }

    /// Lets the first one that is there through.
    ///
    /// Tickets before it are of jobs that were cancelled while they waited.
    ///
    /// The key's row is locked as this snapshot saw it: another head or tail means that there are, or may be, rows in
    /// `waiting` that the snapshot has not. Those keys stay due.
    private static func keys(from source: PostgresStatement) -> PostgresStatement {
        """
        keys as materialized (
            \(source)
        ), firsts as materialized (
            select k.order_key, k.tail, w.ticket from keys k
            cross join lateral (
                select from flotilla.job_key l
                where l.order_key = k.order_key and l.head = k.head and l.tail = k.tail and l.passed < l.head
                limit 1 for update skip locked
            ) l
            left join lateral (
                select w.ticket from flotilla.waiting w
                where w.order_key = k.order_key and w.ticket >= k.head
                order by w.ticket limit 1
            ) w on true
        ), locked as materialized (
            select w.tid from firsts f cross join lateral (
                select w.ctid as tid from flotilla.waiting w
                where w.order_key = f.order_key and w.ticket = f.ticket
                limit 1 for update skip locked
            ) w
        ), let as (
            delete from flotilla.waiting w where w.ctid = any (array(select tid from locked))
            returning w.order_key, w.ticket, w.lane, w.rank, w.job, w.due_at
        ), postponed as (
            insert into flotilla.later (due_at, job, lane, rank)
            select due_at, job, lane, rank from let where due_at > statement_timestamp()
        ), passed as (
            insert into flotilla.ready (lane, rank, job)
            select lane, rank, job from let where due_at is null or due_at <= statement_timestamp()
            returning job
        ), moved as (
            update flotilla.job_key k set head = m.head, passed = coalesce(m.passed, k.passed)
            from (
                select order_key, ticket as head, ticket as passed from let
                union all
                select order_key, tail, null from firsts where ticket is null
            ) m
            where k.order_key = m.order_key
        )
        """
    }
}
