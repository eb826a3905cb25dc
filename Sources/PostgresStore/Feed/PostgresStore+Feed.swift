package import ClusterPorts
import PostgresDriver

import struct Foundation.Date

/// Reading the feed. Entries of transactions that are younger than the oldest one in progress wait, so that what
/// commits late never appears behind a reader.
extension PostgresStore {
    package func feed(
        after place: FeedPlace, topics: Set<FeedEntry.Topic>, limit: Int
    ) async throws(StoreError) -> FeedPage {
        let wanted: PostgresStatement = "topic = any (\(topics.map(\.rawValue).sorted()))"
        let rows = try await self.run(
            """
            select xid::text::int8, number, at, case when \(wanted) then topic end, change, subject,
                   case when \(wanted) then detail else '{}' end
            from flotilla.feed
            where (xid, number) > (\("\(place.transaction)")::text::xid8, \(place.number))
              and xid < pg_snapshot_xmin(pg_current_snapshot())
            order by xid, number limit \(limit)
            """)
        var page = FeedPage(nothingAfter: place)
        page.hasMore = rows.count == limit
        for row in rows {
            let (transaction, number, at, topic, change, subject, detail) = try row.reading(
                Int64.self, Int64.self, Date.self, String?.self, String.self, String.self, PostgresJSON.self)
            page.reached = FeedPlace(transaction: transaction, number: number)
            guard let topic else { continue }
            page.entries.append(
                FeedEntry(
                    place: page.reached, at: at, topic: try FeedEntry.Topic(stored: topic), change: change,
                    subject: subject, detail: detail.text))
        }
        return page
    }

    package func feedEnds() async throws(StoreError) -> (oldest: FeedPlace, newest: FeedPlace) {
        // Before the oldest: so that who read the entry before it, which is gone, is told that something is missing.
        let row = try await self.one(
            """
            select coalesce(o.xid::text::int8, 0), coalesce(o.number - 1, 0),
                   coalesce(n.xid::text::int8, o.xid::text::int8, 0), coalesce(n.number, o.number - 1, 0)
            from (select) one
            left join lateral (select xid, number from flotilla.feed order by xid, number limit 1) o on true
            left join lateral (
                select xid, number from flotilla.feed where xid < pg_snapshot_xmin(pg_current_snapshot())
                order by xid desc, number desc limit 1) n on true
            """)
        let (oldXID, oldNumber, newXID, newNumber) = try row.reading(
            Int64.self, Int64.self, Int64.self, Int64.self)
        return (
            FeedPlace(transaction: oldXID, number: oldNumber),
            FeedPlace(transaction: newXID, number: newNumber)
        )
    }
}
