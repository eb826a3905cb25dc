import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

/// The guards of docs/UPLOADS.md, each with what it is there for.
@Suite struct UploadTests {
    private static func new(_ account: Account, length: Int64? = 100) throws -> NewUpload {
        NewUpload(
            id: UploadID(UUID()), account: account.id, accountName: account.name, dialect: .tus,
            path: try path("a/b"), length: length, metadata: "filename YQ==", kept: .seconds(3600))
    }

    private static func taking(_ new: NewUpload, _ node: JoinedNode, at offset: Int64) -> UploadTaking {
        UploadTaking(
            upload: new.id, offset: offset,
            file: StagedName(incarnation: node.right.incarnation, file: "\(new.id)-\(UUID())"),
            node: node.right.name, client: "10.0.0.1")
    }

    private static func take(
        _ db: TestDatabase, _ new: NewUpload, _ node: JoinedNode, at offset: Int64 = 0
    ) async throws -> UploadTitle {
        let answer = try await db.store.take(Self.taking(new, node, at: offset), by: node.right)
        guard case .done(let upload) = answer, let epoch = upload.epoch else {
            throw Unexpected(answer: "\(answer)")
        }
        #expect(upload.durable == offset && upload.incarnation == node.right.incarnation)
        return UploadTitle(upload: new.id, epoch: epoch)
    }

    private struct Unexpected: Error { var answer: String }

    @Test func `the newest request writes, and the one before can note nothing more`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let new = try Self.new(try await db.account("alice"))
            let answer = try await db.store.create(new, by: one.right)
            guard case .done(let made) = answer else { throw Unexpected(answer: "\(answer)") }
            #expect(made.status == .open && made.durable == 0 && made.length == 100 && made.epoch == nil)
            let first = try await Self.take(db, new, one)
            #expect(
                try await db.store.note([UploadNote(title: first, durable: 40)], by: one.right) == [.noted])
            // The same again is the same, and less is never noted.
            #expect(
                try await db.store.note([UploadNote(title: first, durable: 40)], by: one.right) == [.noted])
            #expect(
                try await db.store.note([UploadNote(title: first, durable: 10)], by: one.right) == [.noted])
            #expect(try await db.store.upload(new.id)?.0.durable == 40)
            let wrong = try await db.store.take(Self.taking(new, two, at: 41), by: two.right)
            guard case .refused(let there) = wrong else { throw Unexpected(answer: "\(wrong)") }
            #expect(there.durable == 40 && there.epoch == first.epoch)
            let second = try await Self.take(db, new, two, at: 40)
            #expect(second.epoch > first.epoch)
            // The first node lives, and is out all the same.
            #expect(
                try await db.store.note([UploadNote(title: first, durable: 60)], by: one.right) == [.lost])
            #expect(
                try await db.store.note([UploadNote(title: second, durable: 100)], by: one.right) == [.lost])
            #expect(
                try await db.store.note([UploadNote(title: second, durable: 100)], by: two.right) == [.noted])
            let (upload, segments) = try #require(try await db.store.upload(new.id))
            #expect(upload.isWhole)
            #expect(segments.map(\.begin) == [0, 40] && segments.map(\.end) == [40, 100])
            #expect(
                segments.map(\.number) == [0, 1] && segments.map(\.node) == [one.right.name, two.right.name])
        }
    }

    @Test func `the dead take nothing, note nothing, and their files are named while the upload is open`()
        async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let new = try Self.new(try await db.account("alice"))
            _ = try await db.store.create(new, by: one.right)
            let title = try await Self.take(db, new, one)
            let file = try #require(try await db.store.upload(new.id)?.1.first?.file)
            try await db.bury(one, by: two)
            #expect(try await db.store.note([UploadNote(title: title, durable: 1)], by: one.right) == [.lost])
            #expect(try await db.store.take(Self.taking(new, one, at: 0), by: one.right) == .fenced)
            #expect(
                try await db.store.create(Self.new(try await db.account("bob")), by: one.right) == .fenced)
            #expect(
                try await db.store.segmentFiles(of: one.right.incarnation, after: nil, limit: 10) == [file])
            #expect(try await db.store.abort(new.id, reason: "by order")?.status == .aborted)
            #expect(try await db.store.segmentFiles(of: one.right.incarnation, after: nil, limit: 10) == [])
            let late = try await db.store.take(Self.taking(new, two, at: 0), by: two.right)
            guard case .refused(let there) = late else { throw Unexpected(answer: "\(late)") }
            #expect(there.reason == "by order")
        }
    }

    @Test func `who waited for a note goes by what it noted`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let new = try Self.new(try await db.account("alice"))
            _ = try await db.store.create(new, by: one.right)
            let first = try await Self.take(db, new, one)
            let session = try await db.session()
            let answer = try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "update flotilla.upload set durable = 7 where id = \(new.id.rawValue)")
                async let taken = db.withOtherNode {
                    try await $0.take(Self.taking(new, two, at: 0), by: two.right)
                }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await taken
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await session.close()
            guard case .refused(let there) = answer else { throw Unexpected(answer: "\(answer)") }
            #expect(there.durable == 7 && there.epoch == first.epoch)
        }
    }

    @Test func `of many who take it at once each gets a segment of its own, and the last may write`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let new = try Self.new(try await db.account("alice"))
            _ = try await db.store.create(new, by: node.right)
            let titles = try await withThrowingTaskGroup(of: UploadTitle.self) { group in
                for _ in 0..<12 { group.addTask { try await Self.take(db, new, node) } }
                return try await group.reduce(into: [UploadTitle]()) { $0.append($1) }
            }
            let segments = try #require(try await db.store.upload(new.id)?.1)
            #expect(segments.map(\.number) == Array(0..<12) && Set(segments.map(\.epoch)).count == 12)
            let newest = try #require(titles.map(\.epoch).max())
            for title in titles {
                let answer = try await db.store.note([UploadNote(title: title, durable: 3)], by: node.right)
                let expected: UploadNoteAnswer = title.epoch == newest ? .noted : .lost
                #expect(answer == [expected])
            }
        }
    }

    @Test func `a length is said once, and what nobody came back for is aborted and then forgotten`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let new = try Self.new(try await db.account("alice"), length: nil)
            _ = try await db.store.create(new, by: node.right)
            let title = try await Self.take(db, new, node)
            let said = UploadNote(title: title, durable: 3, length: 9)
            #expect(try await db.store.note([said], by: node.right) == [.noted])
            let again = UploadNote(title: title, durable: 4, length: 5)
            #expect(try await db.store.note([again], by: node.right) == [.noted])
            #expect(try await db.store.upload(new.id)?.0.length == 9)
            #expect(try await db.store.abortExpired(limit: 10, by: node.right).isEmpty)
            try await db.sql("update flotilla.upload set expires_at = clock_timestamp() - interval '1 s'")
            #expect(try await db.store.expiredEnded(limit: 10).isEmpty)
            #expect(try await db.store.abortExpired(limit: 10, by: node.right) == [new.id])
            // It answers for a while that it is over.
            #expect(try await db.store.forget([new.id], by: node.right) == 0)
            #expect(try await db.store.upload(new.id)?.0.status == .aborted)
            try await db.sql("update flotilla.upload set expires_at = clock_timestamp() - interval '1 s'")
            let ended = try await db.store.expiredEnded(limit: 10)
            #expect(ended.map(\.upload) == [new.id])
            #expect(ended.first?.files.map(\.incarnation) == [node.right.incarnation])
            #expect(try await db.store.forget([new.id], by: node.right) == 1)
            #expect(try await db.store.upload(new.id) == nil)
            #expect(try await db.number("select count(*)::int8 from flotilla.segment") == 0)
        }
    }

    @Test func `a note beyond the length is lost, and does not harm its neighbours in the batch`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let account = try await db.account("alice")
            let (one, two) = (try Self.new(account), try Self.new(account))
            var notes: [UploadNote] = []
            for (new, durable) in [(one, Int64(101)), (two, 100)] {
                _ = try await db.store.create(new, by: node.right)
                notes.append(UploadNote(title: try await Self.take(db, new, node), durable: durable))
            }
            #expect(try await db.store.note(notes, by: node.right) == [.lost, .noted])
            #expect(try await db.store.upload(one.id)?.0.durable == 0)
        }
    }

    @Test func `whoever is told the offset can go on there, whoever still writes elsewhere`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let new = try Self.new(try await db.account("alice"))
            _ = try await db.store.create(new, by: one.right)
            let title = try await Self.take(db, new, one)
            _ = try await db.store.note([UploadNote(title: title, durable: 30)], by: one.right)
            guard case .done(let frozen) = try await db.store.freeze(new.id, by: two.right) else {
                throw Unexpected(answer: "not frozen")
            }
            #expect(frozen.durable == 30)
            #expect(
                try await db.store.note([UploadNote(title: title, durable: 50)], by: one.right) == [.lost])
            _ = try await Self.take(db, new, two, at: 30)
            #expect(try await db.store.upload(new.id)?.1.map(\.end) == [30, 30])
            _ = try await db.store.abort(new.id, reason: "by order")
            guard case .refused = try await db.store.freeze(new.id, by: two.right) else {
                throw Unexpected(answer: "an aborted one was frozen")
            }
            let missing = try await db.store.freeze(UploadID(UUID()), by: two.right)
            #expect(missing == .notFound)
        }
    }

    @Test func `an upload's rate is that of the last few seconds`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let new = try Self.new(try await db.account("alice"), length: nil)
            _ = try await db.store.create(new, by: one.right)
            let title = try await Self.take(db, new, one)
            func pass(_ seconds: Int) async throws {
                _ = try await db.pool.query(
                    """
                    update flotilla.upload set changed_at = changed_at - make_interval(secs => \(seconds)),
                        marked_at = marked_at - make_interval(secs => \(seconds))
                    """)
            }
            func rate(after note: Int64) async throws -> Double {
                _ = try await db.store.note([UploadNote(title: title, durable: note)], by: one.right)
                return try #require(try await db.store.upload(new.id)?.0.rate)
            }
            try await pass(2)
            #expect((400...500).contains(try await rate(after: 1_000)))
            try await pass(2)
            #expect((700...750).contains(try await rate(after: 3_000)))
            // After a pause it begins anew, and what nobody notes for long has none.
            try await pass(60)
            #expect(try await rate(after: 3_001) == 0)
            try await pass(1)
            #expect((800...1_000).contains(try await rate(after: 4_001)))
            try await pass(11)
            #expect(try await db.store.upload(new.id)?.0.rate == 0)
        }
    }

    @Test func `a part is given to one upload at a time, whoever asks at once`() async throws {
        try await withTestDatabase { db in
            let one = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            var part = try Self.new(alice, length: 0)
            part.part = .partial
            part.path = nil
            _ = try await db.store.create(part, by: one.right)
            func final() throws -> NewUpload {
                var new = try Self.new(alice, length: nil)
                new.parts = [part.id]
                return new
            }
            let session = try await db.session()
            let (first, second) = (try final(), try final())
            let waiter = try await session.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    "select from flotilla.upload where id = \(part.id.rawValue) for update")
                async let late = db.withOtherNode { try await $0.compose(second, by: one.right) }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(
                    "update flotilla.upload set part_of = \(first.id.rawValue) where id = \(part.id.rawValue)"
                )
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await late
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await session.close()
            // The other one is not to be seen by whoever waited: it counts as alive.
            #expect(waiter == nil)
            _ = try await db.pool.query("update flotilla.upload set part_of = null")
            #expect(try await db.store.compose(first, by: one.right)?.length == 0)
            #expect(try await db.store.compose(second, by: one.right) == nil)
            _ = try await db.store.abort(first.id, reason: "enough")
            #expect(try await db.store.compose(second, by: one.right) != nil)
            try await db.bury(one, by: try await JoinedNode.join(db))
            #expect(try await db.store.compose(try final(), by: one.right) == nil)
        }
    }
}
