import ClusterPorts
import PostgresDriver

/// Giving slots to claims from before there was a limit.
extension PostgresStore {
    /// A limit that has come into being lets nobody claim until this was done.
    ///
    /// First waits for every claim that began without knowing of it (``ClaimStatement/gate``); then all claims of its
    /// scope are there to be seen, and get slots, above the limit too: so it takes as long as it must until new ones
    /// may begin. Does nothing for limits that are settled. They get the lowest numbers that no row has: above the highest
    /// one there may be none left. The claims are locked by job, as everybody does who ends claims, before anything is
    /// written.
    func settleLimits() async throws(StoreError) {
        _ = try await self.upkeep("select pg_advisory_xact_lock(\(unescaped: ClaimStatement.gateKey))")
        _ = try await self.upkeep(
            """
            with fresh as materialized (
                select p.scope from flotilla.job_policy p where p.slots is not null and not p.settled
                order by p.scope for update
            ), held as materialized (
                select f.scope, c.incarnation, c.job, c.epoch
                from flotilla.claim c
                cross join lateral (
                    select j.kind, j.account_id from flotilla.job j where j.id = c.job limit 1) j
                join fresh f on f.scope in ('kind:' || j.kind, 'account:' || j.account_id)
                where not exists (
                    select from flotilla.claim_slot s
                    where s.job = c.job and s.scope = f.scope and s.incarnation = c.incarnation and s.epoch = c.epoch)
                order by c.job, f.scope
                for no key update of c
            ), running as materialized (
                select h.*, row_number() over (partition by h.scope order by h.epoch, h.job) as nth from held h
            ), free as materialized (
                select f.scope, n.slot, row_number() over (partition by f.scope order by n.slot) as nth
                from (
                    select r.scope, count(*) as jobs,
                           (select count(*) from flotilla.claim_slot s where s.scope = r.scope) as taken
                    from running r group by r.scope
                ) f
                cross join lateral (
                    select n.slot from generate_series(1, f.jobs + f.taken) as n (slot)
                    where not exists (
                        select from flotilla.claim_slot s where s.scope = f.scope and s.slot = n.slot)
                    limit f.jobs
                ) n
            ), numbered as (
                insert into flotilla.claim_slot (scope, slot, incarnation, job, epoch)
                select r.scope, n.slot, r.incarnation, r.job, r.epoch
                from running r join free n on n.scope = r.scope and n.nth = r.nth
                on conflict do nothing
            ), marked as (
                update flotilla.claim c set limited = true from running r
                where c.incarnation = r.incarnation and c.job = r.job and c.epoch = r.epoch and not c.limited
            )
            update flotilla.job_policy p set settled = true where p.scope = any (array(select scope from fresh))
            """)
    }
}
