import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

/// U4 of docs/UPLOADS.md: one decision, by whoever may write, about a whole upload.
@Suite struct UploadDecisionTests {
    private struct Scene {
        var account: Account
        var new: NewUpload
        var title: UploadTitle
    }

    private struct NotTaken: Error {}

    /// An upload of 12 bytes that the node has taken.
    private static func scene(
        _ db: TestDatabase, _ node: JoinedNode, durable: Int64 = 12
    ) async throws -> Scene {
        let account = try await db.account("alice")
        let new = NewUpload(
            id: UploadID(UUID()), account: account.id, accountName: account.name, dialect: .draft,
            path: try path("a/b"), length: 12, kept: .seconds(3600))
        _ = try await db.store.create(new, by: node.right)
        let title = try await Self.take(db, new.id, node, at: 0)
        if durable > 0 {
            _ = try await db.store.note([UploadNote(title: title, durable: durable)], by: node.right)
        }
        return Scene(account: account, new: new, title: title)
    }

    private static func take(
        _ db: TestDatabase, _ id: UploadID, _ node: JoinedNode, at offset: Int64
    ) async throws -> UploadTitle {
        let taking = UploadTaking(
            upload: id, offset: offset,
            file: StagedName(incarnation: node.right.incarnation, file: "\(UUID())"), node: node.right.name,
            client: "10.0.0.1")
        guard case .done(let upload) = try await db.store.take(taking, by: node.right),
            let epoch = upload.epoch
        else { throw NotTaken() }
        return UploadTitle(upload: id, epoch: epoch)
    }

    private static func publication(_ scene: Scene, _ node: JoinedNode) throws -> Publication {
        try node.publication("a/b", scene.account, id: scene.new.id.rawValue)
    }

    private static func decide(
        _ store: PostgresStore, _ scene: Scene, _ node: JoinedNode
    ) async throws -> DecisionAnswer? {
        try await store.names(finishing: scene.title)
            .decide([Self.publication(scene, node)], by: node.right).first
    }

    @Test func `a whole upload is decided once, and ends as the log says`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            #expect(try await Self.decide(db.store, scene, node) == .decided)
            #expect(try await db.store.upload(scene.new.id)?.0.status == .decided)
            #expect(try await Self.decide(db.store, scene, node) == .fenced)
            #expect(try await db.store.abort(scene.new.id, reason: "too late")?.status == .decided)
            #expect(try await db.store.settle(scene.new.id) == false)
            #expect(try await db.store.settleDecided(limit: 10, by: node.right) == 0)
            let publication = try Self.publication(scene, node)
            let finished = FinishedOperation(
                operation: publication.operation, names: [publication.path],
                record: record(publication, by: node))
            #expect(try await db.store.finish([finished]) == [scene.new.id.rawValue])
            #expect(try await db.store.settleDecided(limit: 10, by: node.right) == 1)
            let upload = try #require(try await db.store.upload(scene.new.id)?.0)
            #expect(upload.status == .finished && upload.digest == publication.digest && upload.reason == nil)
            #expect(try await db.store.segmentFiles(of: node.right.incarnation, after: nil, limit: 10) == [])
        }
    }

    @Test func `a decision that looked first makes the upload decided too`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            let names = db.store.names(finishing: scene.title)
            let publication = try Self.publication(scene, node)
            #expect(
                try await names.reserve([publication.path], for: publication.operation, by: node.right)
                    == .decided)
            #expect(try await db.store.upload(scene.new.id)?.0.status == .open)
            let change = NameChange.publish(
                path: publication.path, staged: publication.staged, digest: nil, replaces: false)
            #expect(try await names.decide(change, of: publication.operation, by: node.right) == .decided)
            #expect(try await db.store.upload(scene.new.id)?.0.status == .decided)
        }
    }

    @Test func `nothing is decided of an upload that is not whole, not its own, aborted, or a dead one's`()
        async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let scene = try await Self.scene(db, one, durable: 11)
            #expect(try await Self.decide(db.store, scene, one) == .fenced)
            _ = try await db.store.note([UploadNote(title: scene.title, durable: 12)], by: one.right)
            // With the right epoch, but as another node.
            #expect(try await Self.decide(db.store, scene, two) == .fenced)
            let later = try await Self.take(db, scene.new.id, two, at: 12)
            #expect(try await Self.decide(db.store, scene, one) == .fenced)
            var taken = scene
            taken.title = later
            _ = try await db.store.leave(slot: two.right.slot, incarnation: two.right.incarnation)
            #expect(try await Self.decide(db.store, taken, two) == .fenced)
            taken.title = try await Self.take(db, scene.new.id, one, at: 12)
            _ = try await db.store.abort(scene.new.id, reason: "by order")
            #expect(try await Self.decide(db.store, taken, one) == .fenced)
            #expect(try await db.number("select count(*)::int8 from flotilla.name") == 0)
        }
    }

    @Test func `a busy name leaves the upload open`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            let other = try node.publication("a/b", scene.account)
            #expect(try await db.store.decide([other], by: node.right) == [.decided])
            #expect(try await Self.decide(db.store, scene, node) == .busyName)
            #expect(try await db.store.upload(scene.new.id)?.0.status == .open)
        }
    }

    /// Runs `racer` while a transaction with `first` is open, which commits when the racer waits.
    private static func race(
        _ db: TestDatabase, _ first: PostgresStatement,
        _ racer: @escaping @Sendable (PostgresStore) async throws -> DecisionAnswer?
    ) async throws -> DecisionAnswer? {
        let session = try await db.session()
        let answer = try await session.transaction(deadline: .seconds(20)) { transaction in
            _ = try await transaction.query(first)
            async let answer = db.withOtherNode { try await racer($0) }
            try await db.waitForLockWaiters(1)
            _ = try await transaction.query(PostgresStatement("commit").unprepared())
            let answered = try await answer
            _ = try await transaction.query(PostgresStatement("begin").unprepared())
            return answered
        }
        await session.close()
        return answer
    }

    @Test(arguments: ["epoch = epoch + 1", "status = 'aborted'", "status = 'decided'"])
    func `a decision that waited for a taking, an abort or another decision finds it`(change: String)
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            let answer = try await Self.race(
                db, "update flotilla.upload set \(unescaped: change) where id = \(scene.new.id.rawValue)"
            ) { try await Self.decide($0, scene, node) }
            #expect(answer == .fenced)
            #expect(try await db.number("select count(*)::int8 from flotilla.name") == 0)
        }
    }

    @Test func `a decision that waited for a burial finds it`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            let answer = try await Self.race(
                db,
                """
                update flotilla.member set incarnation = incarnation + 1000
                where incarnation = \(node.right.incarnation.rawValue)
                """
            ) { try await Self.decide($0, scene, node) }
            #expect(answer == .fenced)
        }
    }

    @Test func `the naive twin, which asks for the member only, lets the old writer decide too`() async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let scene = try await Self.scene(db, one)
            _ = try await Self.take(db, scene.new.id, two, at: 12)
            #expect(try await db.store.decide([Self.publication(scene, one)], by: one.right) == [.decided])
        }
    }

    @Test func `the naive twin, which asks for the upload only, notes an offset that went away`() async throws
    {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let scene = try await Self.scene(db, one, durable: 4)
            let taken = try await Self.take(db, scene.new.id, two, at: 4)
            try await db.sql(
                "update flotilla.upload set durable = 9 where id = \(scene.new.id.rawValue) and status = 'open'"
            )
            // Nobody has the bytes from 4 to 9 in a file of the manifest.
            let (upload, segments) = try #require(try await db.store.upload(scene.new.id))
            #expect(upload.durable == 9 && upload.epoch == taken.epoch)
            #expect(segments.map(\.end).max() == 4)
        }
    }

    @Test func `a decided upload that the log has forgotten ends when it has expired`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let scene = try await Self.scene(db, node)
            #expect(try await Self.decide(db.store, scene, node) == .decided)
            try await db.sql("update flotilla.upload set expires_at = clock_timestamp() - interval '1 s'")
            // Its name's row is still there.
            #expect(try await db.store.settleDecided(limit: 10, by: node.right) == 0)
            try await db.sql("delete from flotilla.name")
            #expect(try await db.store.settleDecided(limit: 10, by: node.right) == 1)
            #expect(try await db.store.upload(scene.new.id)?.0.reason != nil)
        }
    }
}
