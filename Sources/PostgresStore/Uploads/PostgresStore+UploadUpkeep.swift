package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// What time, and the death of nodes, do to uploads.
extension PostgresStore: UploadUpkeep, SegmentFiles {
    package func segmentFiles(
        of incarnation: Incarnation, after file: String?, limit: Int
    ) async throws(StoreError) -> [String] {
        let rows = try await self.run(
            """
            select s.file from flotilla.segment s join flotilla.upload u on u.id = s.upload
            where s.incarnation = \(incarnation.rawValue) and u.status in ('open', 'decided')
              and s.file > \(file ?? "")
            order by s.file limit \(limit)
            """)
        var files: [String] = []
        for row in rows { files.append(try row.reading(String.self)) }
        return files
    }

    package func abortExpired(limit: Int, by right: NodeRight) async throws(StoreError) -> [UploadID] {
        try Self.check(batch: limit)
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), due as materialized (
                select u.id from flotilla.upload u
                where u.expires_at <= clock_timestamp() and u.status = 'open' and exists (select from me)
                order by u.expires_at limit \(limit)
                for no key update skip locked
            )
            update flotilla.upload u
            set status = 'aborted', reason = 'nobody came back before it expired', changed_at = clock_timestamp(),
                expires_at = clock_timestamp() + u.kept
            from due d where u.id = d.id
            returning u.id
            """)
        var ids: [UploadID] = []
        for row in rows { ids.append(UploadID(try row.reading(UUID.self))) }
        return ids
    }

    package func settleDecided(limit: Int, by right: NodeRight) async throws(StoreError) -> Int {
        try Self.check(batch: limit)
        // A decision's row and its upload's status come and go in one snapshot: nothing in the log and no row means that
        // the log has forgotten it.
        let row = try await self.one(
            """
            with \(Fragments.me(right)), due as materialized (
                select u.id, u.account_id, u.path, u.expires_at from flotilla.upload u
                where u.status = 'decided' and exists (select from me)
                order by u.id limit \(limit)
                for no key update skip locked
            ), ended as materialized (
                select d.id, t.status is null as unknown, t.digest, t.reason
                from due d left join flotilla.transfer t on t.id = d.id
                where t.status <> 'running' or (t.status is null and d.expires_at <= clock_timestamp()
                    and not exists (
                        select from flotilla.name n
                        where n.account_id = d.account_id and n.path_key = sha256(d.path) and n.operation = d.id))
            ), settled as (
                update flotilla.upload u
                set status = 'finished', digest = coalesce(e.digest, u.digest), changed_at = clock_timestamp(),
                    reason = case when e.unknown then 'the transfer log has forgotten it' else e.reason end
                from ended e where u.id = e.id
                returning 1
            )
            select count(*) from settled
            """)
        return try row.reading(Int.self)
    }

    package func expiredEnded(
        limit: Int
    ) async throws(StoreError) -> [(upload: UploadID, files: [StagedName])] {
        try Self.check(batch: limit)
        let rows = try await self.run(
            """
            select d.id, s.incarnation, s.file
            from (
                select u.id, u.expires_at from flotilla.upload u
                where u.expires_at <= clock_timestamp() and u.status in ('finished', 'aborted')
                order by u.expires_at, u.id limit \(limit)) d
            left join flotilla.segment s on s.upload = d.id
            order by d.expires_at, d.id, s.number
            """)
        var found: [(upload: UploadID, files: [StagedName])] = []
        for row in rows {
            let id = UploadID(try row.reading(column: 0, as: UUID.self))
            if found.last?.upload != id { found.append((id, [])) }
            guard let incarnation = try row.reading(column: 1, as: Int64?.self),
                let file = try row.reading(column: 2, as: String?.self)
            else { continue }
            found[found.count - 1].files.append(
                StagedName(incarnation: try Incarnation(stored: incarnation), file: file))
        }
        return found
    }

    package func forget(_ uploads: [UploadID], by right: NodeRight) async throws(StoreError) -> Int {
        guard !uploads.isEmpty else { return 0 }
        try Self.check(batch: uploads.count)
        let row = try await self.one(
            """
            with \(Fragments.me(right)), due as materialized (
                select u.id from flotilla.upload u
                where u.id = any (\(uploads.map(\.rawValue))) and u.expires_at <= clock_timestamp()
                  and u.status in ('finished', 'aborted') and exists (select from me)
                order by u.id
                for update
            ), gone as (
                delete from flotilla.upload u using due d where u.id = d.id
                returning u.id
            ), trail as (
                delete from flotilla.segment s using gone g where s.upload = g.id
            )
            select count(*) from gone
            """)
        return try row.reading(Int.self)
    }
}
