import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

/// The statements that judge and count, with others in their way.
@Suite struct QuotaTests {
    private static func limit(
        _ db: TestDatabase, _ account: Account, bytes: Int64?, files: Int64? = nil
    ) async throws {
        let answer = try await db.store.change(
            account.name,
            AccountChange(
                quotaBytes: bytes.map { .at($0) } ?? .unlimited,
                quotaFiles: files.map { .at($0) } ?? .unlimited), ifRevision: nil)
        guard case .changed(let changed) = answer else {
            Issue.record("the limit was not set: \(answer)")
            return
        }
        #expect(changed.quota == Quota(limits: bytes, files))
    }

    private static func cost(_ bytes: Int64, _ files: Int64 = 1) -> ChangeCost {
        .difference(HomeUse(bytes: bytes, files: files))
    }

    private static func use(_ db: TestDatabase, _ account: Account) async throws -> HomeUse? {
        try await db.store.quota(of: account.id, besides: nil)?.use
    }

    /// Reserves and decides the publication of a file.
    private static func publish(
        _ store: PostgresStore, _ publication: Publication, _ cost: ChangeCost?, by node: JoinedNode
    ) async throws -> DecisionAnswer {
        let reserved = try await store.reserve(
            [publication.path], for: publication.operation, by: node.right)
        guard reserved == .decided else { return reserved }
        return try await store.decide(
            .publish(
                path: publication.path, staged: publication.staged, digest: publication.digest,
                replaces: true), costing: cost, of: publication.operation, by: node.right)
    }

    @Test func `a metered home decides with a cost, within its limits, and others as ever`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let (alice, bob) = (try await db.account("alice"), try await db.account("bob"))
            try await Self.limit(db, alice, bytes: 10, files: 2)
            let answers = try await db.store.decide(
                [try node.publication("a", alice), try node.publication("a", bob)], by: node.right)
            #expect(answers == [.metered, .decided])
            let first = try node.publication("a", alice)
            #expect(try await Self.publish(db.store, first, nil, by: node) == .metered)
            // The reservation is still there.
            let change = NameChange.publish(
                path: first.path, staged: first.staged, digest: first.digest, replaces: true)
            #expect(
                try await db.store.decide(
                    change, costing: Self.cost(11), of: first.operation, by: node.right)
                    == .overQuota(
                        QuotaRefusal(
                            quota: Quota(bytes: 10, files: 2), use: .none,
                            need: HomeUse(bytes: 11, files: 1))))
            #expect(
                try await db.store.decide(
                    change, costing: Self.cost(10), of: first.operation, by: node.right) == .decided)
            #expect(
                try await db.store.decide(
                    change, costing: Self.cost(10), of: first.operation, by: node.right) == .gone)
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 10, files: 1))
            #expect(
                try await Self.publish(db.store, node.publication("b", bob), Self.cost(99), by: node)
                    == .decided)
            #expect(try await Self.use(db, bob) == nil)
        }
    }

    @Test func `what turns out impossible is given back once, and not to another counting`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await Self.limit(db, alice, bytes: 100)
            var all: [FinishedOperation] = []
            for (name, status) in [("a", TransferRecord.Status.completed), ("b", .failed), ("c", .failed)] {
                let publication = try node.publication(name, alice)
                #expect(try await Self.publish(db.store, publication, Self.cost(10), by: node) == .decided)
                all.append(
                    FinishedOperation(
                        operation: publication.operation, names: [publication.path],
                        record: record(publication, status, by: node)))
            }
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 30, files: 3))
            _ = try await db.store.finish(Array(all[0...1]))
            _ = try await db.store.finish(Array(all[0...1]))
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 20, files: 2))
            try await Self.limit(db, alice, bytes: nil)
            #expect(try await Self.use(db, alice) == nil)
            try await Self.limit(db, alice, bytes: 50)
            let other = try node.publication("d", alice)
            #expect(try await Self.publish(db.store, other, Self.cost(7), by: node) == .decided)
            _ = try await db.store.finish([all[2]])
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 7, files: 1))
        }
    }

    @Test func `of two decisions for the last room one is made`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await Self.limit(db, alice, bytes: 10)
            let publications = [try node.publication("a", alice), try node.publication("b", alice)]
            let blocker = try await db.session()
            async let first = db.withOtherNode {
                try await Self.publish($0, publications[0], Self.cost(6), by: node)
            }
            async let second = db.withOtherNode {
                try await Self.publish($0, publications[1], Self.cost(6), by: node)
            }
            try await blocker.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("select from flotilla.quota for update")
                try await db.waitForLockWaiters(2)
            }
            let answers = [try await first, try await second]
            #expect(answers.filter { $0 == .decided }.count == 1)
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 6, files: 1))
            await blocker.close()
        }
    }

    @Test func `a decision that waits for the switch is refused, and one before it delays the first count`()
        async throws
    {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let early = try node.publication("early", alice)
            let late = try node.publication("late", alice)
            #expect(try await db.store.decide([early], by: node.right) == [.decided])
            let blocker = try await db.session()
            // The switch and the late decision wait for the same home, in this order.
            let answers = try await blocker.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query("select from flotilla.home for update")
                async let switched: Void = db.withOtherNode { store in
                    _ = try await store.change(
                        alice.name, AccountChange(quotaBytes: .at(10)), ifRevision: nil)
                }
                try await db.waitForLockWaiters(1)
                async let answers = db.withOtherNode { try await $0.decide([late], by: node.right) }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                try await switched
                let given = try await answers
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return given
            }
            #expect(answers == [.metered])
            #expect(try await db.store.beginCount(of: alice.id) == nil)
            _ = try await db.store.finish([
                FinishedOperation(
                    operation: early.operation, names: [early.path], record: record(early, by: node))
            ])
            #expect(try await db.store.beginCount(of: alice.id) != nil)
            await blocker.close()
        }
    }

    @Test func `a reservation below a marked folder is refused, and a mark waits for one`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let (mover, writer) = (node.operation(alice), node.operation(alice))
            #expect(try await db.store.mark(folders: [path("d")], for: mover, by: node.right) == .decided)
            #expect(
                try await db.store.reserve([path("d/a"), path("x")], for: writer, by: node.right)
                    == .busyFolder)
            #expect(try await db.store.reserve([path("d")], for: mover, by: node.right) == .decided)
            #expect(try await db.store.reserve([path("e")], for: writer, by: node.right) == .decided)
            let blocker = try await db.session()
            try await blocker.transaction(deadline: .seconds(20)) { transaction in
                // As a reservation does.
                _ = try await transaction.query("select from flotilla.home for share")
                async let marked = db.withOtherNode {
                    try await $0.mark(
                        folders: [HomePath(bytes: Array("f".utf8))], for: writer, by: node.right)
                }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                #expect(try await marked == .decided)
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
            }
            await blocker.close()
        }
    }

    @Test func `a count moves the use into its range, and no farther`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await Self.limit(db, alice, bytes: 1_000)
            let number = try await db.number("select shard from flotilla.quota")
            let shard = try #require(ShardNumber(number))
            try await db.sql(
                """
                update flotilla.shard set incarnation = \(node.right.incarnation.rawValue), epoch = 7
                where number = \(shard.rawValue)
                """)
            let title = ShardTitle(number: shard, epoch: try #require(Epoch(rawValue: 7)))
            func end(_ bytes: Int64, since mark: CountMark) async throws -> CountAnswer {
                try await db.store.endCount(
                    HomeUse(bytes: bytes, files: 0), since: mark, again: CountRhythm(), holding: title,
                    by: node.right)
            }
            func mark() async throws -> CountMark {
                try #require(try await db.store.beginCount(of: alice.id))
            }
            func decide(_ cost: ChangeCost) async throws {
                let publication = try node.publication("\(UUID())", alice)
                #expect(try await Self.publish(db.store, publication, cost, by: node) == .decided)
                _ = try await db.store.finish([
                    FinishedOperation(
                        operation: publication.operation, names: [publication.path],
                        record: record(publication, by: node))
                ])
            }
            #expect(try await db.store.dueCounts(in: [shard], limit: 9).map(\.account) == [alice.id])
            #expect(
                try await end(100, since: mark())
                    == .counted(use: HomeUse(bytes: 100, files: 0), doubt: .none))
            #expect(try await db.store.dueCounts(in: [shard], limit: 9).isEmpty)
            var begun = try await mark()
            try await decide(Self.cost(30, 0))
            try await decide(Self.cost(-10, 0))
            // 120 is right; a walk saw anything from 80 to 160.
            for seen in [80, 100, 120, 160] as [Int64] {
                let doubt = HomeUse(bytes: 40, files: 0)
                #expect(
                    try await end(seen, since: begun)
                        == .counted(use: HomeUse(bytes: 120, files: 0), doubt: doubt))
            }
            #expect(
                try await end(200, since: begun)
                    == .counted(use: HomeUse(bytes: 160, files: 0), doubt: HomeUse(bytes: 40, files: 0)))
            #expect(
                try await end(120, since: mark())
                    == .counted(use: HomeUse(bytes: 120, files: 0), doubt: .none))
            begun = try await mark()
            try await decide(.movedFolder)
            #expect(try await end(5, since: begun) == .void)
            // What is decided and not carried out yet may be seen or not.
            let pending = try node.publication("pending", alice)
            #expect(try await Self.publish(db.store, pending, Self.cost(40, 0), by: node) == .decided)
            begun = try await mark()
            #expect(
                try await end(120, since: begun)
                    == .counted(use: HomeUse(bytes: 160, files: 0), doubt: HomeUse(bytes: 40, files: 0)))
            try await db.sql("update flotilla.shard set epoch = 8")
            #expect(try await end(0, since: begun) == .fenced)
            #expect(try await Self.use(db, alice) == HomeUse(bytes: 160, files: 0))
        }
    }

    @Test func `limits are kept, changed and taken away one by one`() async throws {
        try await withTestDatabase { db in
            let alice = try await db.account("alice")
            func change(_ change: AccountChange) async throws -> Quota? {
                guard
                    case .changed(let account) = try await db.store.change(
                        alice.name, change, ifRevision: nil)
                else { return nil }
                let row = try await db.store.quota(of: alice.id, besides: nil)
                #expect(row?.quota == account.quota)
                #expect(try await db.store.account(named: alice.name).value?.quota == account.quota)
                return account.quota
            }
            #expect(try await change(AccountChange(enabled: true)) == nil)
            #expect(try await db.number("select count(*) from flotilla.quota") == 0)
            #expect(try await change(AccountChange(quotaFiles: .unlimited)) == nil)
            #expect(try await change(AccountChange(quotaFiles: .at(3))) == Quota(bytes: nil, files: 3))
            #expect(try await change(AccountChange(quotaBytes: .at(0))) == Quota(bytes: 0, files: 3))
            #expect(try await change(AccountChange(enabled: false)) == Quota(bytes: 0, files: 3))
            #expect(try await change(AccountChange(quotaFiles: .unlimited)) == Quota(bytes: 0, files: nil))
            #expect(try await change(AccountChange(quotaBytes: .unlimited)) == nil)
            #expect(try await db.store.orderCount(of: alice.id) == false)
            let now = Date()
            let bob = Account(
                id: AccountID(UUID()), name: try #require(AccountName("bob")), enabled: true,
                passwordHash: nil, createdAt: now, changedAt: now, revision: 1,
                quota: Quota(bytes: 5, files: nil))
            #expect(try await db.store.create(bob)?.quota == bob.quota)
            #expect(
                try await db.store.quotas(of: [alice.id, bob.id]).mapValues(\.quota) == [
                    bob.id: Quota(bytes: 5, files: nil)
                ])
            #expect(try await db.store.orderCount(of: bob.id))
        }
    }
}
