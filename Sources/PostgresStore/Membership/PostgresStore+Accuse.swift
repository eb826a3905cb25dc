package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Deaths: by accusation, by leaving, by an operator's order. All lock the dying row `for update` before anything is changed, so
/// no commit of the dying one is in flight when it dies (rule R3).
extension PostgresStore {
    package func accuse(_ accusation: Accusation) async throws(StoreError) -> Bool {
        guard accusation.watched >= self.times.fastWindow else { return false }
        // The accuser's own health: alive, its chain not broken by now, and long enough. A heartbeat that lies in the
        // future (the database's clock was set back) counts as none. And the session of its last heartbeat still holds
        // its lock: when every connection was cut, the accuser's was too, and the target needs as much time to come
        // back (docs/models.md, ACCUSE_BY_ANOTHER_CONNECTION).
        let accuser: PostgresStatement = """
            accuser as materialized (
                select from flotilla.member m
                where m.slot = \(accusation.accuserSlot.rawValue) and m.incarnation = \(accusation.accuser.rawValue)
                  and m.status in ('active', 'draining')
                  and m.hb_at between clock_timestamp() - \(Fragments.interval(self.times.chainGap))
                                  and clock_timestamp()
                  and m.up_since <= clock_timestamp() - \(Fragments.interval(self.times.slowWindow))
                  and exists (
                      \(Self.holders(of: "\(accusation.accuser.rawValue)"))
                        and (m.hb_pid is null or l.pid = m.hb_pid))
                for key share
            )
            """
        // Whether the target's advisory lock is gone counts only now, after its row has been locked.
        let slow = accusation.watched >= self.times.slowWindow
        let verdict: PostgresStatement = """
            case when not exists (\(Self.holders(of: "\(accusation.targetIncarnation.rawValue)")))
                    and not \(Self.beatWithin(self.times.fastWindow)) then 'crashed'
                 when \(slow) and not \(Self.beatWithin(self.times.slowWindow)) then 'silent'
            end
            """
        return try await self.kill(accusation, if: accuser, verdict: verdict)
    }

    package func accuse(asJoiner accusation: Accusation) async throws(StoreError) -> Bool {
        guard accusation.watched >= self.times.slowWindow else { return false }
        // A joiner has no chain that proves its health. After a restart of the database everybody stood still
        // without being dead, so the server itself must have been up for the slow window.
        let accuser: PostgresStatement = """
            accuser as materialized (
                select where pg_postmaster_start_time()
                    not between clock_timestamp() - \(Fragments.interval(self.times.slowWindow)) and clock_timestamp()
            )
            """
        let verdict: PostgresStatement = """
            case when not \(Self.beatWithin(self.times.slowWindow)) then 'silent, as a joiner saw' end
            """
        return try await self.kill(accusation, if: accuser, verdict: verdict)
    }

    /// - Parameter verdict: SQL over `m`, the locked row's `slot` and `hb_at`: why it dies, or null.
    private func kill(
        _ accusation: Accusation, if accuser: PostgresStatement, verdict: PostgresStatement
    ) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with \(accuser), target as materialized (
                select slot, hb_at from flotilla.member
                where slot = \(accusation.target.rawValue)
                  and incarnation = \(accusation.targetIncarnation.rawValue)
                  and hb_seq = \(accusation.heartbeats) and status <> 'dead'
                  and exists (select from accuser)
                for update
            ), judged as materialized (
                -- Of the row as it was locked: a heartbeat that came meanwhile has changed hb_seq, and then
                -- there is no target.
                select m.slot, \(verdict) as reason from target m
            ), killed as (
                update flotilla.member m set status = 'dead', died_at = clock_timestamp()
                from judged j where m.slot = j.slot and j.reason is not null
                returning m.slot, m.name, m.incarnation, j.reason
            ), \(Self.departure(from: "killed")), \(Fragments.nextView(from: "killed"))
            select exists (select from killed)
            """)
        return try row.reading(Bool.self)
    }

    package func buryAll(reason: String) async throws(StoreError) -> Int {
        let row = try await self.one(
            """
            with target as materialized (
                select m.slot, m.incarnation from flotilla.member m
                where m.status <> 'dead'
                order by m.slot
                for update
            ), killed as (
                update flotilla.member m set status = 'dead', died_at = clock_timestamp()
                from target t
                where m.slot = t.slot and not exists (\(Self.holders(of: "t.incarnation")))
                returning m.slot, m.name, m.incarnation, \(reason) as reason
            ), counted as materialized (
                select count(*) as members from killed
            ), \(Self.departure(from: "killed")), \(Fragments.nextView(from: "killed"))
            select members from counted
            """)
        return try row.reading(Int.self)
    }

    package func leave(slot: Slot, incarnation: Incarnation) async throws(StoreError) -> Bool {
        // A stopping node does not wait long for a silent database: others notice that it is gone.
        try await self.end(incarnation, reason: "left", within: self.times.slowWindow / 2)
    }

    package func evict(_ target: Incarnation, reason: String) async throws(StoreError) -> Bool {
        try await self.end(target, reason: "evicted: \(reason)")
    }

    /// - Parameter deadline: the pool's if nil.
    private func end(
        _ target: Incarnation, reason: String, within deadline: Duration? = nil
    ) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with target as materialized (
                select slot from flotilla.member
                where incarnation = \(target.rawValue) and status <> 'dead'
                for update
            ), killed as (
                update flotilla.member m set status = 'dead', died_at = clock_timestamp()
                from target t where m.slot = t.slot
                returning m.slot, m.name, m.incarnation, \(reason) as reason
            ), \(Self.departure(from: "killed")), \(Fragments.nextView(from: "killed"))
            select exists (select from killed)
            """, deadline: deadline)
        return try row.reading(Bool.self)
    }

    private static func beatWithin(_ window: Duration) -> PostgresStatement {
        "(m.hb_at between clock_timestamp() - \(Fragments.interval(window)) and clock_timestamp())"
    }

    /// Sessions of this database that hold the incarnation's advisory lock.
    ///
    /// A lock with one 64-bit key shows
    /// its upper half as `classid`, its lower one as `objid`, and 1 as `objsubid`.
    private static func holders(of incarnation: PostgresStatement) -> PostgresStatement {
        """
        select from pg_locks l
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
          and l.database = (select oid from pg_database where datname = current_database())
          and l.classid::bigint = \(incarnation) >> 32
          and l.objid::bigint = \(incarnation) & 4294967295
        """
    }

    private static func departure(from source: String) -> PostgresStatement {
        """
        departure as (
            insert into flotilla.departed (incarnation, slot, name, reason)
            select incarnation, slot, name, reason from \(unescaped: source)
            on conflict do nothing
        )
        """
    }
}
