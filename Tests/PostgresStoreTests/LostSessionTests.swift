import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// A look at what became of a statement is final only when the statement cannot run any more.
@Suite struct LostSessionTests {
    private static func backend(_ session: PostgresConnection) async throws -> PostgresSession {
        let row = try await session.query(
            """
            select pg_backend_pid(), \(PostgresSession.started("backend_start"))
            from pg_stat_get_activity(pg_backend_pid())
            """
        ).exactlyOne()
        return PostgresSession(backendID: try row[0, as: Int32.self], startedAt: try row[1, as: Int64.self])
    }

    /// Whether the name is known to be free of changes; false while something lost is in the way.
    private static func isFree(_ store: PostgresStore, _ account: Account) async throws -> Bool {
        let name = try path("a")
        do throws(StoreError) {
            return try await store.unfinished(account: account.id, path: name) == nil
        } catch {
            guard case .notRun = error else { throw error }
            return false
        }
    }

    @Test func `a decision whose answer was lost does not come after the look that finds none`() async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let publication = try node.publication("a", alice)
            let session = try await db.session()
            try await db.withOtherNode(deadline: .milliseconds(700)) { store in
                // Its connections have told when they began.
                for _ in 0..<20 {
                    #expect(try await store.unfinished(account: alice.id, path: path("a")) == nil)
                }
                _ = try await session.query("begin")
                _ = try await session.query("select from flotilla.home for update")
                let error = await #expect(throws: StoreError.self) {
                    try await store.decide([publication], by: node.right)
                }
                guard case .mayHaveRun = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                try await db.waitForLockWaiters(1)
                let lost = try #require(store.lost.all.first)
                #expect(lost.startedAt != nil)
                try await eventually { try await Self.isFree(store, alice) }
                #expect(store.lost.all.isEmpty)
                #expect(
                    try await db.number(
                        "select count(*) from pg_stat_activity where pid = \(lost.backendID)") == 0)
                _ = try await session.query("rollback")
                // The pool has another connection in its place, and the name is as it was found.
                #expect(try await store.unfinished(account: alice.id, path: path("a")) == nil)
                #expect(try await store.decide([publication], by: node.right) == [.decided])
            }
            await session.close()
            try await node.dropLines()
        }
    }

    @Test func `a session that only has the number of a lost one is left alone`() async throws {
        try await withTestDatabase { db in
            let alice = try await db.account("alice")
            let session = try await db.session()
            let other = try await Self.backend(session)
            let store = db.store
            store.lost.note(PostgresSession(backendID: other.backendID, startedAt: 1))
            #expect(try await store.unfinished(account: alice.id, path: path("a")) == nil)
            #expect(store.lost.all.isEmpty)
            // One whose start nobody knows may be the lost one: it is waited for, and not ended.
            store.lost.note(PostgresSession(backendID: other.backendID, startedAt: nil))
            await #expect(throws: StoreError.self) {
                try await store.unfinished(account: alice.id, path: path("a"))
            }
            #expect(try await Self.backend(session) == other)
            await session.close()
            try await eventually { try await Self.isFree(store, alice) }
            #expect(store.lost.all.isEmpty)
        }
    }

    @Test func `the session of the lost answer is ended, and no other`() async throws {
        try await withTestDatabase { db in
            let alice = try await db.account("alice")
            let (session, bystander) = (try await db.session(), try await db.session())
            db.store.lost.note(try await Self.backend(session))
            try await eventually { try await Self.isFree(db.store, alice) }
            await #expect(throws: (any Error).self) { try await session.query("select 1") }
            _ = try await bystander.query("select 1")
            await bystander.close()
        }
    }
}
