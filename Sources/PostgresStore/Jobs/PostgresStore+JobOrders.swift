package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// What operators do to jobs. A job that moves to another table in the same moment is looked for again, a few times.
extension PostgresStore {
    private static let orderAttempts = 3

    package func cancel(
        _ ids: [JobID], by who: String, reason: String?
    ) async throws(StoreError) -> [JobID] {
        try await self.ordered(ids) { ids in CancelStatement.cancel(ids, by: who, reason: reason) }
    }

    package func retry(_ ids: [JobID], by who: String) async throws(StoreError) -> [JobID] {
        try await self.ordered(ids) { ids in CancelStatement.sendBack(ids, by: who) }
    }

    package func delete(_ ids: [JobID]) async throws(StoreError) -> [JobID] {
        try await self.ordered(ids) { ids in CancelStatement.delete(ids) }
    }

    /// - Parameter statement: answers a list of jobs that are done with.
    private func ordered(
        _ ids: [JobID], _ statement: ([Int64]) -> PostgresStatement
    ) async throws(StoreError) -> [JobID] {
        guard !ids.isEmpty else { return [] }
        try Self.check(batch: ids.count)
        var open = Set(ids.map(\.rawValue))
        var done: [JobID] = []
        var misses = 0
        // A job that moves in the same moment is in no place for one look, and somewhere else for the next.
        for _ in 0..<Self.orderAttempts where !open.isEmpty && misses < 2 {
            let found = try await self.queueRow(statement(open.sorted())).reading([Int64].self)
            for id in found {
                open.remove(id)
                done.append(try JobID(stored: id))
            }
            if found.isEmpty { misses += 1 }
        }
        return done.sorted()
    }
}

/// The statements of orders; each answers one row with a list of jobs.
enum CancelStatement {
    /// The order of locks is that of everybody: ready, later and waiting rows, then claims, then the member
    /// whose loss is counted, slots, and keys.
    ///
    /// `ready` has no index by job; it is walked once. Rows are sorted before they are locked, so that two who cancel the
    /// same jobs wait for each other once, and not in a circle.
    static func cancel(_ ids: [Int64], by who: String, reason: String?) -> PostgresStatement {
        """
        with doomed as materialized (
            select r.ctid as tid from flotilla.ready r where r.job + 0 = any (\(ids))
            order by r.lane, r.rank, r.job for update
        ), doomed_later as materialized (
            select l.ctid as tid from flotilla.later l where l.job + 0 = any (\(ids))
            order by l.due_at, l.job for update
        ), doomed_waiting as materialized (
            select w.ctid as tid from flotilla.waiting w where w.job + 0 = any (\(ids))
            order by w.order_key, w.ticket for update
        ), doomed_claims as materialized (
            select c.ctid as tid from flotilla.claim c where c.job + 0 = any (\(ids)) order by c.job for update
        ), unready as (
            delete from flotilla.ready r where r.ctid = any (array(select tid from doomed)) returning r.job, r.attempt
        ), undelayed as (
            delete from flotilla.later l where l.ctid = any (array(select tid from doomed_later))
            returning l.job, l.attempt
        ), unwaiting as (
            delete from flotilla.waiting w where w.ctid = any (array(select tid from doomed_waiting))
            returning w.job, 0::int2 as attempt
        ), gone as (
            delete from flotilla.claim c where c.ctid = any (array(select tid from doomed_claims)) returning c.*
        ), lost as materialized (
            select 'job'::text as kind, job::text as id, epoch, incarnation from gone
        ), \(Fragments.told("lost", reason: "cancelled")), all_ended as materialized (
            select job, attempt, null::int8 as epoch, null::int2 as slot from unready
            union all select job, attempt, null, null from undelayed
            union all select job, attempt, null, null from unwaiting
            union all select job, attempt, epoch, slot from gone
        ), ended as materialized (
            select e.*, j.kind, j.order_key, j.ticket from all_ended e cross join lateral (
                select j.kind, j.order_key, j.ticket from flotilla.job j where j.id = e.job limit 1
            ) j
        ), outcomes as (
            insert into flotilla.outcome (job, status, attempt, epoch, slot, note)
            select job, 'c', attempt, epoch, slot, \(reason) from ended
        ), remembered as (
            insert into flotilla.job_history (job, change, attempt, epoch, node, note)
            select job, 'cancelled', attempt, epoch, \(who), \(reason) from ended
        ), \(JobFragments.fed("cancelled", from: "ended", where: "true", by: who)),
        \(JobFragments.slotsFreed(by: "gone")), \(JobFragments.headsMoved(past: "ended")),
        \(JobFragments.news(ifAny: "heads"))
        select coalesce((select array_agg(job) from ended), '{}')
        from news, (select count(*) from heads) h
        """
    }

    /// What failed or was cancelled is ready again; under a key it goes to the end, with a new ticket.
    ///
    /// What waits for its time is ready now.
    static func sendBack(_ ids: [Int64], by who: String) -> PostgresStatement {
        """
        with doomed as materialized (
            select l.ctid as tid from flotilla.later l where l.job + 0 = any (\(ids))
            order by l.due_at, l.job for update
        ), doomed_outcomes as materialized (
            select o.job from flotilla.outcome o where o.job = any (\(ids)) and o.status in ('f', 'c')
            order by o.job for update
        ), undelayed as (
            delete from flotilla.later l where l.ctid = any (array(select tid from doomed)) returning l.job, l.attempt
        ), revived as (
            delete from flotilla.outcome o where o.job = any (array(select job from doomed_outcomes))
            returning o.job, o.epoch
        ), now as materialized (
            select clock_timestamp() as time
        ), back as materialized (
            select b.*, j.kind, j.lane, j.order_key, flotilla.job_rank(n.time, j.priority) as rank,
                   row_number() over (partition by b.is_new, j.order_key order by b.job) - 1 as nth
            from (
                select job, attempt, null::int8 as epoch, false as is_new from undelayed
                union all select job, 0::int2, epoch, true from revived
            ) b
            cross join now n
            cross join lateral (
                select j.kind, j.lane, j.priority, j.order_key from flotilla.job j where j.id = b.job limit 1
            ) j
        ), counted as materialized (
            select order_key, count(*) as count from back where is_new and order_key is not null group by order_key
        ), tails as (
            insert into flotilla.job_key as k (order_key, head, tail, passed)
            select c.order_key, 0, c.count, 0 from counted c order by c.order_key collate "C"
            \(EnqueueStatement.onKeyConflict)
        ), ticketed as materialized (
            select b.*, t.tail - c.count + b.nth as ticket, coalesce(t.passed = t.tail - c.count + b.nth, true) as is_next
            from back b
            left join counted c on b.is_new and c.order_key = b.order_key
            left join tails t on t.order_key = c.order_key
        ), renumbered as (
            update flotilla.job j set ticket = t.ticket from ticketed t where t.ticket is not null and j.id = t.job
        ), staged as (
            insert into flotilla.ready (lane, rank, job, attempt)
            select lane, rank, job, attempt from ticketed where is_next
        ), behind as (
            insert into flotilla.waiting (order_key, ticket, job, lane, rank)
            select order_key, ticket, job, lane, rank from ticketed where not is_next
        ), remembered as (
            insert into flotilla.job_history (job, change, attempt, epoch, node)
            select job, 'sent-back', attempt, epoch, \(who) from back
        ), \(JobFragments.fed("sent-back", from: "back", where: "true", by: who)), \(JobFragments.news(ifAny: "back"))
        select coalesce((select array_agg(job) from back), '{}') from news
        """
    }

    static func delete(_ ids: [Int64]) -> PostgresStatement {
        """
        with doomed as materialized (
            select o.job from flotilla.outcome o where o.job = any (\(ids)) order by o.job for update
        ), gone as (
            delete from flotilla.outcome o where o.job = any (array(select job from doomed)) returning o.job
        ), jobs as (
            delete from flotilla.job j where j.id = any (array(select job from gone))
        ), histories as (
            delete from flotilla.job_history h where h.job = any (array(select job from gone))
        ), steps as (
            delete from flotilla.job_progress p where p.job = any (array(select job from gone))
        )
        select coalesce(array_agg(job), '{}') from gone
        """
    }
}
