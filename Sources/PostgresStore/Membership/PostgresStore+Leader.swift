package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// The lead, and what only a leader writes.
extension PostgresStore {
    package func takeLead(_ claim: LeadClaim) async throws(StoreError) -> Leadership? {
        // Of many that claim the lead, the first one to get the cluster's row raises the term; the others, who waited
        // for it, find another term in the row that they look at again. Dead is final: a leader that this statement's
        // snapshot shows dead does not come back to life.
        let rows = try await self.run(
            """
            with \(Fragments.me(claim.right)), bumped as (
                update flotilla.cluster c
                set leader_slot = \(claim.right.slot.rawValue),
                    leader_incarnation = \(claim.right.incarnation.rawValue), leader_term = c.leader_term + 1,
                    view_version = c.view_version + 1
                where c.leader_term = \(claim.term) and exists (select from me)
                  and not exists (
                      select from flotilla.member m
                      where m.incarnation = c.leader_incarnation and m.status <> 'dead')
                returning c.leader_term, c.view_version
            ), led as (
                select \(claim.right.slot.rawValue) as slot, \(claim.right.name.description) as name,
                       \(claim.right.incarnation.rawValue) as incarnation, 'leads' as reason
                from bumped
            ), \(Fragments.noteView(from: "led", more: "jsonb_build_object('term', b.leader_term)")),
            \(Fragments.feedWithoutStrangers(if: "exists (select from bumped)"))
            select leader_term from bumped
            """)
        guard let row = rows.first else { return nil }
        return Leadership(
            slot: claim.right.slot, incarnation: claim.right.incarnation, term: try row.reading(Int64.self))
    }

    package func prune(olderThan age: Duration, by leader: LeaderRight) async throws(StoreError) -> Int {
        // A dead row whose departure is still open stays: somebody is clearing it. One that a joiner takes over at
        // this moment is skipped: a joiner locks the cluster's row after it, as this does.
        let row = try await self.one(
            """
            with \(Fragments.me(leader.right)), cleared as materialized (
                select incarnation from flotilla.departed
                where swept_at < clock_timestamp() - \(Fragments.interval(age))
            ), old as materialized (
                select m.slot, m.incarnation from flotilla.member m
                where m.status = 'dead' and m.died_at < clock_timestamp() - \(Fragments.interval(age))
                  and m.incarnation in (select incarnation from cleared)
                order by m.slot
                for update skip locked
            ), \(Fragments.leader(leader, after: "old")), gone as (
                delete from flotilla.member m using old o
                where m.slot = o.slot and m.incarnation = o.incarnation and exists (select from leader)
                returning m.slot, m.name, m.incarnation, 'pruned' as reason
            ), closed as (
                delete from flotilla.departed
                where incarnation in (select incarnation from cleared) and exists (select from leader)
            ), forgiven as (
                delete from flotilla.lease_loss
                where incarnation in (select incarnation from cleared) and exists (select from leader)
            ), read as (
                delete from flotilla.feed f
                using (
                    select xid, number from flotilla.feed order by xid desc, number desc offset 10000 limit 1) o
                where (f.xid, f.number) <= (o.xid, o.number) and exists (select from leader)
            ), \(Fragments.feedWithoutStrangers(if: "exists (select from leader)")), counted as materialized (
                select count(*) as members from gone
            ), \(Fragments.nextView(from: "gone"))
            select members from counted
            """)
        return try row.reading(Int.self)
    }
}
