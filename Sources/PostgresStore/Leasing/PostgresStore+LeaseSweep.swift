package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Taking leases away: from the dead, from those who are overdue, and by order of an operator.
///
/// Whoever ends a lease deletes its row, so of a sweep and an end one wins. A sweep of the dead needs no lock on the
/// member: dead is final, and whoever declared the death waited (`for update`) for every end in flight.
extension PostgresStore {
    package func sweepDead(limit: Int, by right: NodeRight) async throws(StoreError) -> [LeaseRecord] {
        // Holders are read off the index, one step each, so that a million leases of the living cost nothing. What
        // one statement locks beyond its batch, because two are dead, it lets go again.
        let batch = min(max(limit, 1), Self.batchLimit)
        return try LeaseRow.records(
            await self.run(
                """
                with recursive \(Fragments.me(right)), \(Fragments.deadHolders(in: "lease")), doomed as materialized (
                    select l.kind, l.id, l.epoch from dead d cross join lateral (
                        select l.kind, l.id, l.epoch from flotilla.lease l
                        where l.incarnation = d.incarnation
                        limit \(batch)
                        for update skip locked
                    ) l
                    limit \(batch)
                ), gone as (
                    delete from flotilla.lease l using doomed d
                    where l.kind = d.kind and l.id = d.id and l.epoch = d.epoch
                    returning l.*
                ), fed as (
                    insert into flotilla.feed (topic, change, subject, detail)
                    select 'lease', 'swept', g.kind, jsonb_build_object(
                        'incarnation', g.incarnation, 'leases', count(*), 'by', \(right.name.description))
                    from gone g group by g.kind, g.incarnation
                )
                select \(LeaseRow.columns) from gone l
                \(LeaseRow.holder)
                order by l.epoch
                """))
    }

    package func sweepOverdue(
        _ titles: [LeaseTitle], by right: NodeRight
    ) async throws(StoreError) -> [LeaseTitle] {
        guard !titles.isEmpty else { return [] }
        try Self.check(batch: titles.count)
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), doomed as materialized (
                select l.kind, l.id, l.epoch from \(LeaseColumns.unnested(titles))
                join flotilla.lease l on l.kind = a.kind and l.id = a.id and l.epoch = a.epoch
                where l.deadline_ms is not null and exists (select from me)
                order by l.kind, l.id
                for update of l skip locked
            ), gone as (
                delete from flotilla.lease l using doomed d
                where l.kind = d.kind and l.id = d.id and l.epoch = d.epoch
                returning l.*
            ), \(Fragments.told(reason: "overdue")), \(Self.fed(reason: "overdue"))
            select kind, id, epoch from gone order by kind, id
            """)
        var ended: [LeaseTitle] = []
        for row in rows {
            let (kind, id, epoch) = try row.reading(String.self, String.self, Int64.self)
            ended.append(try LeaseRow.title(kind, id, epoch))
        }
        return ended
    }

    package func forceEnd(_ title: LeaseTitle) async throws(StoreError) -> LeaseRecord? {
        try LeaseRow.records(
            await self.run(
                """
                with gone as (
                    delete from flotilla.lease l
                    where l.kind = \(title.subject.kind.description) and l.id = \(title.subject.id)
                      and l.epoch = \(title.epoch.rawValue)
                    returning l.*
                ), \(Fragments.told(reason: "forced")), \(Self.fed(reason: "forced"))
                select \(LeaseRow.columns) from gone l
                \(LeaseRow.holder)
                """)
        ).first
    }

    private static func fed(reason: String) -> PostgresStatement {
        """
        fed as (
            insert into flotilla.feed (topic, change, subject, detail)
            select 'lease', \(reason), g.kind || '/' || g.id, jsonb_build_object(
                'incarnation', g.incarnation, 'epoch', g.epoch)
            from gone g
        )
        """
    }
}
