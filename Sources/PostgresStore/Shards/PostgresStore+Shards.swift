package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Who should have each shard, and who has it.
extension PostgresStore: ShardStore {
    package func shards() async throws(StoreError) -> [ShardRecord] {
        try ShardFragments.records(
            await self.run("select \(ShardFragments.columns) from flotilla.shard s order by s.number"))
    }

    package func shards(
        of incarnation: Incarnation, and numbers: [ShardNumber]
    ) async throws(StoreError) -> [ShardRecord] {
        try ShardFragments.records(
            await self.run(
                """
                select \(ShardFragments.columns) from flotilla.shard s
                where s.wanted = \(incarnation.rawValue) or s.incarnation = \(incarnation.rawValue)
                   or s.number = any (\(numbers.map(\.rawValue)))
                order by s.number
                """))
    }

    package func assign(
        _ moves: [ShardMove], by leader: LeaderRight
    ) async throws(StoreError) -> [ShardNumber] {
        guard !moves.isEmpty else { return [] }
        try Self.check(shards: moves.map(\.number))
        // Who waited for a row looks at it again, so an assignment that was written meanwhile stands. The leader's term
        // is proved by the change of the cluster's row, which tells the nodes that there is news.
        let rows = try await self.run(
            """
            with \(Fragments.me(leader.right)), due as materialized (
                select s.number, a.wanted, a.reason
                from unnest(
                    \(moves.map(\.number.rawValue)), \(moves.map(\.from?.rawValue)), \(moves.map(\.to.rawValue)),
                    \(moves.map(\.reason))
                ) as a (number, before, wanted, reason)
                join flotilla.shard s on s.number = a.number
                where s.wanted is not distinct from a.before and exists (select from me) and exists (
                    select from flotilla.member m where m.incarnation = a.wanted and m.status <> 'dead')
                order by s.number
                for no key update of s
            ), bumped as (
                update flotilla.cluster set shard_version = shard_version + 1
                where leader_incarnation = \(leader.right.incarnation.rawValue) and leader_term = \(leader.term)
                  and \(Fragments.all(of: "due"))
                returning leader_term
            ), told as (
                insert into flotilla.feed (topic, change, subject, detail)
                select 'shard', 'assigned', d.number::text,
                       jsonb_build_object('wanted', d.wanted, 'term', b.leader_term, 'reason', d.reason)
                from due d, bumped b order by d.number
            )
            update flotilla.shard s
            set wanted = d.wanted, term = b.leader_term, reason = d.reason, moved_at = clock_timestamp()
            from due d, bumped b where s.number = d.number
            returning s.number
            """)
        var written: [ShardNumber] = []
        for row in rows { written.append(try ShardNumber(stored: row.reading(Int16.self))) }
        return written.sorted()
    }

    package func take(_ shards: [ShardTaking], by right: NodeRight) async throws(StoreError) -> [ShardTitle] {
        guard !shards.isEmpty else { return [] }
        try Self.check(shards: shards.map(\.number))
        // The epoch that was read tells that the owner is still the one that the snapshot knows, alive or dead: a later
        // owner, who joined after the snapshot, would look as if it did not live. Dead is final, so what
        // the snapshot shows dead does not come back to life. The new epoch is drawn when the rows are locked.
        return try ShardFragments.titles(
            await self.run(
                """
                with \(Fragments.me(right)), free as materialized (
                    select s.number
                    from unnest(
                        \(shards.map(\.number.rawValue)), \(shards.map(\.after?.rawValue))) as a (number, known)
                    join flotilla.shard s on s.number = a.number
                    where s.wanted = (select incarnation from me) and s.epoch is not distinct from a.known and (
                        s.incarnation is null or s.incarnation = s.wanted or not exists (
                            select from flotilla.member m where m.incarnation = s.incarnation and m.status <> 'dead'))
                    order by s.number
                    for update of s
                ), drawn as materialized (
                    select (select \(Fragments.timeline) << 40) | nextval('flotilla.epoch') as epoch
                    where (select count(*) from free) > 0
                ), told as (
                    insert into flotilla.feed (topic, change, subject, detail)
                    select 'shard', 'taken', f.number::text,
                           jsonb_build_object('incarnation', m.incarnation, 'epoch', d.epoch)
                    from free f, drawn d, me m order by f.number
                )
                update flotilla.shard s set incarnation = s.wanted, epoch = d.epoch
                from free f, drawn d where s.number = f.number
                returning s.number, s.epoch
                """))
    }

    package func release(_ titles: [ShardTitle], by right: NodeRight) async throws(StoreError) -> [ShardTitle]
    {
        guard !titles.isEmpty else { return [] }
        try Self.check(shards: titles.map(\.number))
        // The epoch stays: it tells whoever reads the row what is older and what is newer.
        return try ShardFragments.titles(
            await self.run(
                """
                with \(Fragments.me(right)), own as materialized (
                    select s.number from \(ShardFragments.unnested(titles))
                    join flotilla.shard s on s.number = a.number
                    where s.epoch = a.epoch and s.incarnation = (select incarnation from me)
                    order by s.number
                    for update of s
                ), \(ShardFragments.bumped(ifAny: "own"))
                update flotilla.shard s set incarnation = null from own o where s.number = o.number
                returning s.number, s.epoch
                """))
    }

    package func report(
        _ loads: [ShardLoadReport], by right: NodeRight
    ) async throws(StoreError) -> [ShardTitle] {
        guard !loads.isEmpty else { return [] }
        try Self.check(shards: loads.map(\.title.number))
        return try ShardFragments.titles(
            await self.run(
                """
                with \(Fragments.me(right)), own as materialized (
                    select s.number, a.load
                    from unnest(
                        \(loads.map(\.title.number.rawValue)), \(loads.map(\.title.epoch.rawValue)),
                        \(loads.map { Float($0.load) })) as a (number, epoch, load)
                    join flotilla.shard s on s.number = a.number
                    where s.epoch = a.epoch and s.incarnation = (select incarnation from me)
                    order by s.number
                    for no key update of s
                )
                update flotilla.shard s set load = o.load from own o where s.number = o.number
                returning s.number, s.epoch
                """))
    }

    package func pin(_ number: ShardNumber, to node: NodeName?) async throws(StoreError) {
        let change = node.map { "pinned to \($0)" } ?? "not pinned any more"
        _ = try await self.run(
            """
            with pinned as (
                update flotilla.shard set pinned = \(node?.description)
                where number = \(number.rawValue) and pinned is distinct from \(node?.description)
                returning number
            ), \(ShardFragments.bumped(ifAny: "pinned"))
            insert into flotilla.feed (topic, change, subject) select 'shard', \(change)::text, number::text from pinned
            """)
    }

    package func move(
        _ number: ShardNumber, to target: Incarnation, reason: String
    ) async throws(StoreError) -> Bool {
        // The leader's next word about it is void if it was planned before this.
        let row = try await self.one(
            """
            with target as materialized (
                select incarnation, name from flotilla.member
                where incarnation = \(target.rawValue) and status = 'active'
                for key share
            ), due as materialized (
                select s.number, t.incarnation from flotilla.shard s, target t
                where s.number = \(number.rawValue) and (s.pinned is null or s.pinned = t.name)
                for no key update of s
            ), moved as (
                update flotilla.shard s
                set wanted = d.incarnation, reason = \(reason), moved_at = clock_timestamp()
                from due d where s.number = d.number and s.wanted is distinct from d.incarnation
                returning s.number, s.wanted, s.term
            ), \(ShardFragments.bumped(ifAny: "moved")), told as (
                insert into flotilla.feed (topic, change, subject, detail)
                select 'shard', 'assigned', number::text,
                       jsonb_build_object('wanted', wanted, 'term', term, 'reason', \(reason)::text)
                from moved
            )
            select exists (select from due)
            """)
        return try row.reading(Bool.self)
    }

    private static func check(shards numbers: [ShardNumber]) throws(StoreError) {
        guard Set(numbers).count == numbers.count else {
            throw .refused(sqlState: "22000", message: "a shard stands twice in one batch")
        }
    }
}
