package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date

/// Clearing what the dead left: one live node at a time has the right to it.
extension PostgresStore {
    package func departures(limit: Int) async throws(StoreError) -> [Departure] {
        let rows = try await self.run(
            """
            select incarnation, slot, name, reason, died_at from flotilla.departed
            where swept_at is null order by died_at, incarnation limit \(limit)
            """)
        var departures: [Departure] = []
        for row in rows {
            let (incarnation, slot, name, reason, at) = try row.reading(
                Int64.self, Int16.self, String.self, String.self, Date.self)
            departures.append(
                Departure(
                    incarnation: try Incarnation(stored: incarnation), slot: Slot(slot),
                    name: try NodeName(stored: name), reason: reason, at: at))
        }
        return departures
    }

    package func claimDeparture(of departed: Incarnation, by right: NodeRight) async throws(StoreError)
        -> Bool
    {
        // The holder is judged by what this statement saw of him; if another one took the claim while it
        // waited for the row, the claim is his. One who lives and does not come to an end (his mount hangs)
        // keeps others away for a while only; clearing is safe for two at once.
        let row = try await self.one(
            """
            with \(Fragments.me(right)), seen as materialized (
                select d.swept_by, d.claimed_at from flotilla.departed d
                where d.incarnation = \(departed.rawValue) and exists (select from me)
                  and not (d.claimed_at between clock_timestamp() - \(Fragments.interval(self.times.claimWindow))
                                              and clock_timestamp() and exists (
                      select from flotilla.member m
                      where m.incarnation = d.swept_by and m.status <> 'dead'
                        and m.incarnation <> \(right.incarnation.rawValue)))
            ), claimed as (
                update flotilla.departed d
                set swept_by = \(right.incarnation.rawValue),
                    claimed_at = case when d.swept_by = \(right.incarnation.rawValue) then d.claimed_at
                                      else clock_timestamp() end
                from seen s
                where d.incarnation = \(departed.rawValue) and d.swept_at is null
                  and d.swept_by is not distinct from s.swept_by
                  and d.claimed_at is not distinct from s.claimed_at
                returning 1
            )
            select exists (select from claimed)
            """)
        return try row.reading(Bool.self)
    }

    package func closeDeparture(of departed: Incarnation, by right: NodeRight) async throws(StoreError) {
        _ = try await self.run(
            """
            with \(Fragments.me(right))
            update flotilla.departed d set swept_at = clock_timestamp()
            where d.incarnation = \(departed.rawValue)
              and d.swept_by = \(right.incarnation.rawValue) and exists (select from me)
              and \(Self.nothingIsLeft(of: departed))
            """)
    }

    /// No name, folder mark, running transfer, lease or claim of the departed `d`; else its departure stays due.
    static func nothingIsLeft(of departed: Incarnation) -> PostgresStatement {
        """
        d.swept_at is null
        and not exists (select from flotilla.name n where n.incarnation = \(departed.rawValue))
        and not exists (
            select from flotilla.home h
            where cardinality(h.busy) > 0 and \(departed.rawValue) = any (h.busy_incarnation))
        and not exists (
            select from flotilla.transfer t where t.status = 'running' and t.incarnation = \(departed.rawValue))
        and not exists (select from flotilla.lease l where l.incarnation = \(departed.rawValue))
        and not exists (select from flotilla.claim c where c.incarnation = \(departed.rawValue))
        """
    }
}
