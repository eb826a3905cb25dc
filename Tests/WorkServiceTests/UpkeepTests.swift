import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import SharedMount
import Testing
import WorkService

@Suite struct UpkeepTests {
    private func job(_ kind: JobKind, _ payload: String, epoch: Int64 = 11) throws -> ClaimedJob {
        ClaimedJob(
            title: JobTitle(
                job: try #require(JobID(rawValue: 7)), epoch: try #require(Epoch(rawValue: epoch))),
            lane: JobLane(1), kind: kind, account: nil, payload: payload, bytes: 0, attempt: 1,
            maxAttempts: 20,
            deadline: nil, checkpoint: nil, waited: .zero)
    }

    @Test(arguments: [
        "{}", "[]", #"{"transfer_days": 0}"#, #"{"event_days": -1}"#, #"{"transfer_days": "9"}"#,
        #"{"transfer_days": 99999999999}"#,
    ])
    func `an order that forgets nothing or too much is refused`(payload: String) {
        #expect(RetentionOrder(payload) == nil)
    }

    @Test func `what is old is forgotten in batches, by who holds the claim`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            _ = try await db.pool.query(
                """
                insert into flotilla.transfer (id, kind, status, account, path, size, node, protocol, client, incarnation,
                    started_at, ended_at)
                select gen_random_uuid(), 'upload', case when n = 0 then 'running' else 'completed' end, 'alice', 'a', 1,
                    'n', 'http', 'c', 1, now() - interval '200 days',
                    case when n > 0 then now() - n * interval '1 day' end
                from generate_series(0, 100) n
                """)
            _ = try await db.pool.query(
                """
                insert into flotilla.event (at, kind, account_id, account, path, operation, node, jobs)
                select now() - n * interval '1 day', 'file.moved', gen_random_uuid(), 'alice', 'a', gen_random_uuid(), 'n',
                    array[n] from generate_series(1, 20) n
                """)
            let handler = RetentionHandler(store: db.store, batch: 20)
            let order = try self.job(WorkKind.retention, #"{"transfer_days": 30, "event_days": 10}"#)
            let lost = await handler.run(order, TestDesk(right: node.right))
            #expect(lost == .givenBack(reason: "the claim was lost"))
            try await db.claim(job: 7, epoch: 11, by: node)
            let drained = await handler.run(order, TestDesk(draining: true, right: node.right))
            #expect(drained == .givenBack(reason: "the node drains, after 0 transfers"))
            let end = await handler.run(order, TestDesk(right: node.right))
            #expect(end == .done(note: "forgot 71 transfers and 11 events"))
            #expect(try await db.count("flotilla.transfer") == 30)
            #expect(try await db.count("flotilla.event") == 9)
            #expect(
                await handler.run(order, TestDesk(right: node.right))
                    == .done(note: "forgot 0 transfers and 0 events"))
        }
    }

    @Test func `the digest that was read is judged by what was asked or published`() throws {
        let one = try #require(Digest([UInt8](repeating: 1, count: 32)))
        let two = try #require(Digest([UInt8](repeating: 2, count: 32)))
        #expect(VerifyVerdict.judge(one, asked: one, before: two, after: two) == .matches)
        #expect(VerifyVerdict.judge(one, asked: two, before: one, after: one) == .differs(expected: two))
        #expect(VerifyVerdict.judge(one, asked: nil, before: one, after: two) == .matches)
        #expect(VerifyVerdict.judge(one, asked: nil, before: two, after: two) == .differs(expected: two))
        #expect(VerifyVerdict.judge(one, asked: nil, before: two, after: nil) == .changed)
        #expect(VerifyVerdict.judge(one, asked: nil, before: nil, after: nil) == .unknown)
    }

    @Test func `a file is read again and compared`() async throws {
        let folder = try ScratchFolder("verify")
        let vault = PosixVault(root: folder.path)
        try await withTestDatabase { db in
            let alice = try #require(AccountName("alice"))
            let nonce = try #require(MountNonce([UInt8](repeating: 1, count: 16)))
            _ = try await vault.establish(
                MountIdentity(cluster: try await db.store.facts().cluster, nonce: nonce))
            try await vault.makeHome(of: alice, adopting: false)
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
            try Data(bytes).write(to: URL(filePath: folder.path + "/homes/alice/f"))
            // By another hand: sha256sum says so.
            let digest = try await Self.sha256sum(folder.path + "/homes/alice/f")
            let handler = VerifyHandler(
                files: vault, transfers: db.store, names: db.store, accounts: db.store, piece: 4_096)
            func verify(_ payload: String, _ desk: TestDesk = TestDesk()) async throws -> JobEnd {
                await handler.run(try self.job(WorkKind.verify, payload), desk)
            }
            let plain = #"{"account": "alice", "path": "/f"}"#
            #expect(
                try await verify(plain)
                    == .done(note: "nothing says what the digest should be; it is \(digest)"))
            let right = #"{"account": "alice", "path": "/f", "sha256": "\#(digest)"}"#
            #expect(try await verify(right) == .done(note: "the digest is right: \(digest)"))
            let wrong = String(repeating: "0", count: 64)
            #expect(
                try await verify(#"{"account": "alice", "path": "/f", "sha256": "\#(wrong)"}"#)
                    == .failed(reason: "/f has the digest \(digest), expected was \(wrong)"))
            _ = try await db.pool.query(
                """
                insert into flotilla.transfer (id, kind, status, account, path, size, digest, node, protocol, client,
                    incarnation, started_at, ended_at)
                select gen_random_uuid(), 'upload', 'completed', 'alice', 'f', 1, sha256(n::text::bytea), 'n', 'http',
                    'c', 1, now(), now() from generate_series(1, 1) n
                """)
            guard case .failed(let reason) = try await verify(plain) else {
                Issue.record("a digest that differs is not found")
                return
            }
            #expect(reason.hasPrefix("/f has the digest \(digest), expected was 6b86b273ff34"))
            // Visible, and not in the log yet: nobody judges it now.
            let node = try await JoinedNode.join(db)
            let now = Date(timeIntervalSince1970: 1_700_000_000)
            let account = try #require(
                try await db.store.create(
                    Account(
                        id: AccountID(UUID()), name: alice, enabled: true, passwordHash: nil, createdAt: now,
                        changedAt: now, revision: 1)))
            let operation = ClusterPorts.Operation(
                id: UUID(), account: account.id, accountName: alice,
                origin: TransferOrigin(node: node.right.name, protocol: "http", client: "c", startedAt: now))
            _ = try await db.store.reserve([try HomePath(bytes: "f".utf8)], for: operation, by: node.right)
            guard case .postponed = try await verify(plain) else {
                Issue.record("a change that is under way is not waited for")
                return
            }
            try await db.store.abandon(operation, of: node.right.incarnation)
            // Moved here since, from where another one was published.
            func log(_ kind: String, _ path: String, target: String? = nil, digest: String? = nil, ago: Int)
                async throws
            {
                _ = try await db.pool.query(
                    """
                    insert into flotilla.transfer (id, kind, status, account, path, target, size, digest, node, protocol,
                        client, incarnation, started_at, ended_at)
                    values (gen_random_uuid(), \(kind), 'completed', 'alice', \(Data(path.utf8)),
                        \(target.map { Data($0.utf8) }), 1, decode(\(digest), 'hex'), 'n', 'http', 'c', 1, now(),
                        now() - \(ago) * interval '1 second')
                    """)
            }
            try await log("move", "old/g", target: "f", ago: -10)
            #expect(
                try await verify(plain)
                    == .done(note: "changed since: nothing says what its digest should be; it is \(digest)"))
            try await log("upload", "in/g", digest: digest, ago: 100)
            try await log("move", "in", target: "old", ago: 50)
            #expect(try await verify(plain) == .done(note: "the digest is right, of /in/g: \(digest)"))
            try await log("upload", "old/g", digest: wrong, ago: 20)
            guard case .failed(let moved) = try await verify(plain) else {
                Issue.record("the digest of the file that was moved here is another one")
                return
            }
            #expect(moved == "/f, which was /old/g, has the digest \(digest), expected was \(wrong)")
            #expect(
                try await verify(right, TestDesk(draining: true)) == .givenBack(reason: "the node drains"))
            #expect(
                try await verify(right, TestDesk(held: false)) == .givenBack(reason: "the claim was lost"))
            guard case .failed = try await verify(#"{"account": "alice", "path": "/gone"}"#),
                case .failed = try await verify(#"{"account": "alice", "path": "/../x"}"#)
            else {
                Issue.record("a file that is not there is no failure")
                return
            }
        }
        await vault.shutDown()
        withExtendedLifetime(folder) {}
    }

    private static func sha256sum(_ file: String) async throws -> String {
        try await Program.output("/usr/bin/sha256sum", [file]).prefix(64).description
    }
}
