import ClusterModel
import PostgresDriver

/// Pieces of SQL that the statements of the queue share.
///
/// The order of locks is: the member; rows of the queue, those of claims by job, the others in the order of their
/// index, and where it can be `skip locked`; slots by scope and number; keys by order key; the cluster's row.
///
/// Rows of the queue are never updated, so a row that is locked stays where it is, and is deleted by its place
/// (`ctid`). Together with `limit` in a lateral subquery that leaves the planner nothing to misjudge.
enum JobFragments {
    /// Moves the heads of keys past the jobs of `source`, a CTE with `order_key` and `ticket` (null for jobs without).
    ///
    /// One that waits behind its head moves nothing: staging steps over what is not there.
    static func headsMoved(past source: String) -> PostgresStatement {
        """
        heads as materialized (
            select k.order_key, k.waits
            from (select order_key, ticket from \(unescaped: source) where order_key is not null order by order_key) s
            cross join lateral (
                select k.order_key, k.head + 1 < k.tail as waits from flotilla.job_key k
                where k.order_key = s.order_key and k.head = s.ticket and k.passed = s.ticket
                limit 1 for update
            ) k
        ), moved as (
            update flotilla.job_key k set head = k.head + 1
            where k.order_key = any (array(select order_key from heads))
        )
        """
    }

    /// The key and ticket of the jobs in `source`, a CTE with `job`, as far as `condition` holds.
    static func keys(of source: String, where condition: PostgresStatement) -> PostgresStatement {
        """
        keys as materialized (
            select j.order_key, j.ticket from \(unescaped: source) e cross join lateral (
                select j.order_key, j.ticket from flotilla.job j where j.id = e.job limit 1
            ) j
            where \(condition)
        )
        """
    }

    /// Gives back the slots of the jobs in `source`, a CTE with `job` and `limited`.
    ///
    /// Claims lock slots too, also such as they find taken in the end: the accounts' before the kinds', each in the
    /// order of numbers. So these are locked in that order before any of them goes; otherwise two would wait for each
    /// other, and everybody for them, until the server looks for circles.
    static func slotsFreed(by source: String) -> PostgresStatement {
        """
        slots as materialized (
            select s.scope, s.slot, s.job from flotilla.claim_slot s
            where s.job = any (array(select job from \(unescaped: source) where limited))
            order by s.scope, s.slot
            for update
        ), freed as (
            delete from flotilla.claim_slot s using slots f
            where s.scope = f.scope and s.slot = f.slot and s.job = f.job
        )
        """
    }

    /// Tells operators of jobs, a line for each kind; `source` is a CTE with `job` and `kind`.
    static func fed(_ change: String, from source: String, where condition: PostgresStatement, by who: String)
        -> PostgresStatement
    {
        """
        fed as (
            insert into flotilla.feed (topic, change, subject, detail)
            select 'job', \(change), e.kind, jsonb_build_object(
                'jobs', count(*), 'ids', (array_agg(e.job order by e.job))[1:20], 'by', \(who))
            from \(unescaped: source) e where \(condition) group by e.kind
        )
        """
    }

    /// Says that older jobs are ready again if `source` has rows; a row each time.
    static func news(ifAny source: String) -> PostgresStatement {
        """
        news as materialized (
            select case when exists (select from \(unescaped: source)) then nextval('flotilla.job_again') end as number
        )
        """
    }

    /// A number of the sequence of leases: higher than every one that was answered before.
    static let epoch: PostgresStatement = "(select \(Fragments.timeline) << 40) | nextval('flotilla.epoch')"
}
