package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Uploads as people see them.
extension PostgresStore: UploadStore {
    package func abort(_ upload: UploadID, reason: String) async throws(StoreError) -> Upload? {
        _ = try await self.run(
            """
            update flotilla.upload set status = 'aborted', reason = \(reason), changed_at = clock_timestamp()
            where id = \(upload.rawValue) and status = 'open'
            """)
        return try await self.upload(upload)?.0
    }

    package func upload(_ id: UploadID) async throws(StoreError) -> (Upload, [UploadSegment])? {
        let rows = try await self.run(
            "select \(UploadRow.columns) from flotilla.upload u where u.id = \(id.rawValue)")
        guard let row = rows.first else { return nil }
        let upload = try UploadRow.upload(row)
        // Read after the upload: what its row says is durable has its segments.
        let found = try await self.run(
            """
            select \(UploadRow.segmentColumns) from flotilla.segment s where s.upload = \(id.rawValue)
            order by s.number
            """)
        var segments: [UploadSegment] = []
        for row in found { segments.append(try UploadRow.segment(row)) }
        return (upload, segments)
    }

    package func uploads(_ query: UploadQuery) async throws(StoreError) -> [(Upload, UploadSegment?)] {
        guard (1...Self.batchLimit).contains(query.limit) else {
            throw .refused(sqlState: "22000", message: "a page has 1 to \(Self.batchLimit) uploads")
        }
        let rows = try await self.run(
            """
            select \(UploadRow.columns), \(UploadRow.segmentColumns)
            from flotilla.upload u left join flotilla.segment s on s.upload = u.id and s.number = u.segments - 1
            where (\(query.account?.description)::text is null or u.account_name = \(query.account?.description))
              and (\(query.status?.rawValue)::text is null or u.status = \(query.status?.rawValue))
              and (\(query.node?.description)::text is null or s.node = \(query.node?.description))
              and (\(query.after?.rawValue)::uuid is null or u.id < \(query.after?.rawValue))
            order by u.id desc limit \(query.limit)
            """)
        var uploads: [(Upload, UploadSegment?)] = []
        for row in rows { uploads.append((try UploadRow.upload(row), try UploadRow.newestSegment(row))) }
        return uploads
    }

    package func settle(_ upload: UploadID) async throws(StoreError) -> Bool {
        let rows = try await self.run(
            """
            update flotilla.upload u
            set status = 'finished', digest = t.digest, reason = t.reason, changed_at = clock_timestamp()
            from flotilla.transfer t
            where u.id = \(upload.rawValue) and u.status = 'decided' and t.id = u.id and t.status <> 'running'
            returning u.id
            """)
        return !rows.isEmpty
    }
}
