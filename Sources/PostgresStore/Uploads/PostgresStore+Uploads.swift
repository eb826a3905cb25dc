package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Data
import struct Foundation.UUID

/// Who may write an upload, and how far it is durable. The order of locks is: the member, uploads by id, segments.
extension PostgresStore {
    package func create(_ upload: NewUpload, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), made as (
                insert into flotilla.upload as u (
                    id, account_id, account_name, dialect, part, path, length, announced, expected_digest, metadata,
                    replaces, makes_parents, expires_at, kept)
                select \(upload.id.rawValue), \(upload.account.rawValue), \(upload.accountName.description),
                       \(upload.dialect.rawValue), \(upload.part.rawValue), \(upload.path.map { Data($0.bytes) }),
                       \(upload.length), \(upload.announced), \(upload.expectedDigest?.bytes), \(upload.metadata),
                       \(upload.replaces), \(upload.makesParents),
                       clock_timestamp() + \(Fragments.interval(upload.kept)), \(Fragments.interval(upload.kept))
                from me
                on conflict (id) do nothing
                returning u.*
            )
            select \(UploadRow.columns) from made u
            """)
        if let row = rows.first { return .done(try UploadRow.upload(row)) }
        // Refused to the dead, or made before by this very request.
        guard let (there, _) = try await self.upload(upload.id) else { return .fenced }
        return there.account == upload.account ? .done(there) : .refused(there)
    }

    package func take(_ taking: UploadTaking, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        // Who waited for the upload's row sees it anew, and of segments only what its snapshot showed: so their number
        // is in the row.
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), locked as materialized (
                select u.id, u.status, u.durable, u.segments from flotilla.upload u
                where u.id = \(taking.upload.rawValue) and exists (select from me)
                for no key update
            ), drawn as materialized (
                select l.id, l.segments, (select \(Fragments.timeline) << 40) | nextval('flotilla.epoch') as epoch
                from locked l where l.status = 'open' and l.durable = \(taking.offset)
            ), taken as (
                update flotilla.upload u
                set epoch = d.epoch, incarnation = \(right.incarnation.rawValue), segments = d.segments + 1,
                    worked_at = null, changed_at = clock_timestamp(), expires_at = \(Self.expiry)
                from drawn d where u.id = d.id
                returning u.*
            ), begun as (
                insert into flotilla.segment (upload, number, epoch, incarnation, node, file, begins, ends, client)
                select d.id, d.segments, d.epoch, \(right.incarnation.rawValue), \(taking.node.description),
                       \(taking.file.file), \(taking.offset), \(taking.offset), \(taking.client)
                from drawn d
            )
            select exists (select from me), \(UploadRow.columns)
            from (select) one left join taken u on true
            """)
        return try await self.answer(Self.only(rows), taking.upload)
    }

    package func freeze(_ upload: UploadID, by right: NodeRight) async throws(StoreError) -> UploadAnswer {
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), locked as materialized (
                select u.id from flotilla.upload u
                where u.id = \(upload.rawValue) and u.status = 'open' and exists (select from me)
                for no key update
            ), drawn as materialized (
                select l.id, (select \(Fragments.timeline) << 40) | nextval('flotilla.epoch') as epoch from locked l
            ), frozen as (
                update flotilla.upload u
                set epoch = d.epoch, incarnation = \(right.incarnation.rawValue), worked_at = null
                from drawn d where u.id = d.id
                returning u.*
            )
            select exists (select from me), \(UploadRow.columns)
            from (select) one left join frozen u on true
            """)
        return try await self.answer(Self.only(rows), upload)
    }

    /// What a row says that begins with whether the member lives, and goes on with the changed upload or with nulls.
    private func answer(_ row: PostgresRow, _ id: UploadID) async throws(StoreError) -> UploadAnswer {
        if try row.reading(column: 1, as: UUID?.self) != nil {
            return .done(try UploadRow.upload(row, from: 1))
        }
        guard try row.reading(column: 0, as: Bool.self) else { return .fenced }
        guard let (there, _) = try await self.upload(id) else { return .notFound }
        return .refused(there)
    }

    package func note(_ notes: [UploadNote], by right: NodeRight) async throws(StoreError)
        -> [UploadNoteAnswer]
    {
        guard !notes.isEmpty else { return [] }
        try Self.check(batch: notes.count)
        guard Set(notes.map(\.title.upload)).count == notes.count else {
            throw .refused(sqlState: "22000", message: "an upload stands twice in one batch")
        }
        let rows = try await self.run(
            """
            with \(Fragments.me(right)), asked as materialized (
                select * from unnest(
                    \(notes.map(\.title.upload.rawValue)), \(notes.map(\.title.epoch.rawValue)),
                    \(notes.map(\.durable)), \(notes.map(\.length))
                ) with ordinality as a (id, epoch, durable, length, place)
            ), locked as materialized (
                select u.id, a.epoch, greatest(a.durable, u.durable) as durable, coalesce(u.length, a.length) as length
                from asked a join flotilla.upload u on u.id = a.id
                where u.epoch = a.epoch and u.status = 'open' and u.incarnation = (select incarnation from me)
                  and a.durable <= coalesce(u.length, a.length, a.durable)
                order by u.id
                for no key update of u
            ), noted as (
                update flotilla.upload u
                set durable = l.durable, length = l.length, changed_at = clock_timestamp(),
                    expires_at = \(Self.expiry), \(Self.marking)
                from locked l where u.id = l.id
            ), ended as (
                update flotilla.segment s set ends = l.durable
                from locked l where s.upload = l.id and s.epoch = l.epoch and s.ends < l.durable
            )
            select exists (select from locked l where l.id = a.id) from asked a order by a.place
            """)
        var answers: [UploadNoteAnswer] = []
        for row in rows { answers.append(try row.reading(Bool.self) ? .noted : .lost) }
        guard answers.count == notes.count else {
            throw .corrupt("\(answers.count) answers came to \(notes.count) notes")
        }
        return answers
    }

    /// Behind a mark that is five seconds old the next one is set where the note before was; after a pause, where this
    /// one is.
    private static let marking: PostgresStatement = """
        mark = case when u.changed_at < clock_timestamp() - interval '5 seconds' then l.durable
                    when u.marked_at is null or u.marked_at < clock_timestamp() - interval '5 seconds' then u.durable
                    else u.mark end,
        marked_at = case when u.changed_at < clock_timestamp() - interval '5 seconds' then clock_timestamp()
                         when u.marked_at is null or u.marked_at < clock_timestamp() - interval '5 seconds'
                         then u.changed_at else u.marked_at end
        """

    /// An index entry a note would be too much: it moves on when a tenth of the time has gone.
    static let expiry: PostgresStatement = """
        case when u.expires_at < clock_timestamp() + u.kept * 0.9 then clock_timestamp() + u.kept
             else u.expires_at end
        """
}
