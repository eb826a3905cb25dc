package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Data
import struct Foundation.UUID

/// Uploads that are put together from others, and who works on an upload's bytes without a client.
extension PostgresStore {
    package func compose(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> Upload? {
        let parts = upload.parts.map(\.rawValue)
        guard !parts.isEmpty, Set(parts).count == parts.count else {
            throw .refused(sqlState: "22000", message: "an upload is put together from different ones")
        }
        try Self.check(batch: parts.count)
        // Who waited for a part's row sees it anew, but no upload that was made meanwhile: one that it does not see is
        // alive as far as it knows.
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), known as materialized (
                select u.id, u.account_id, u.part, u.status, u.length, u.durable, u.part_of from flotilla.upload u
                where u.id = any (\(parts)) and exists (select from me)
                order by u.id
                for no key update
            ), fit as materialized (
                select k.id, k.length from known k
                where k.account_id = \(upload.account.rawValue) and k.part = 'partial' and k.status = 'open'
                  and k.length = k.durable and (k.part_of is null or exists (
                      select from flotilla.upload f where f.id = k.part_of and f.status = 'aborted'))
            ), made as (
                insert into flotilla.upload as u (
                    id, account_id, account_name, dialect, part, path, length, parts, metadata, replaces,
                    makes_parents, expires_at, kept)
                select \(upload.id.rawValue), \(upload.account.rawValue), \(upload.accountName.description),
                       \(upload.dialect.rawValue), 'whole', \(upload.path.map { Data($0.bytes) }),
                       (select sum(f.length)::int8 from fit f), \(parts), \(upload.metadata), \(upload.replaces),
                       \(upload.makesParents), clock_timestamp() + \(Fragments.interval(upload.kept)),
                       \(Fragments.interval(upload.kept))
                from me where (select count(*) from fit) = \(parts.count)
                on conflict (id) do nothing
                returning u.*
            ), given as (
                update flotilla.upload u
                set part_of = \(upload.id.rawValue), expires_at = greatest(u.expires_at, clock_timestamp() + u.kept)
                from fit f where u.id = f.id and exists (select from made)
            )
            select \(UploadRow.columns) from made u
            """)
        guard let row = rows.first else { return nil }
        return try UploadRow.upload(row)
    }

    package func work(
        _ title: UploadTitle, isOn: Bool, by right: NodeRight
    ) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with \(Fragments.me(right)), worked as (
                update flotilla.upload u set worked_at = case when \(isOn) then clock_timestamp() end
                where u.id = \(title.upload.rawValue) and u.epoch = \(title.epoch.rawValue)
                  and u.incarnation = \(right.incarnation.rawValue) and u.status = 'open'
                  and exists (select from me)
                returning 1
            )
            select exists (select from worked)
            """)
        return try row.reading(Bool.self)
    }

    package func announce(_ upload: UploadID, length: Int64) async throws(StoreError) -> Int64? {
        let rows = try await self.run(
            """
            update flotilla.upload u set announced = coalesce(u.length, u.announced, \(length))
            where u.id = \(upload.rawValue)
            returning u.announced
            """)
        guard let row = rows.first else { return nil }
        return try row.reading(Int64?.self)
    }

    package func consumeParts(of upload: UploadID) async throws(StoreError) -> [UploadID] {
        let rows = try await self.run(
            """
            with whole as materialized (
                select f.id, f.parts from flotilla.upload f
                where f.id = \(upload.rawValue) and f.status in ('decided', 'finished') and f.reason is null
            ), due as materialized (
                select u.id from flotilla.upload u, whole f
                where u.id = any (f.parts) and u.part_of = f.id and u.status = 'open'
                order by u.id
                for no key update of u
            )
            update flotilla.upload u set status = 'finished', changed_at = clock_timestamp()
            from due d where u.id = d.id
            returning u.id
            """)
        var ids: [UploadID] = []
        for row in rows { ids.append(UploadID(try row.reading(UUID.self))) }
        return ids
    }
}
