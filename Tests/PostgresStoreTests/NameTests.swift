import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

@Suite struct NameTests {
    @Test func `of two publications of one name in a batch one is decided`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            var stranger = alice
            stranger.id = AccountID(UUID())
            let answers = try await db.store.decide(
                [
                    try node.publication("a", alice), try node.publication("a", alice),
                    try node.publication("b", alice), try node.publication("a", stranger),
                ], by: node.right)
            #expect(answers == [.decided, .busyName, .decided, .gone])
            #expect(try await db.store.decide([node.publication("b", alice)], by: node.right) == [.busyName])
        }
    }

    @Test func `an evicted node decides nothing before the sweep`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let early = node.operation(alice)
            #expect(try await db.store.reserve([path("r")], for: early, by: node.right) == .decided)
            try await db.silence(node, milliseconds: 9_000)
            try await eventually {
                try await db.store.accuse(asJoiner: node.accusation(of: node, watched: .seconds(9)))
            }
            let change = NameChange.remove(try path("r"), node.staged("x").identity)
            #expect(try await db.store.decide([node.publication("a", alice)], by: node.right) == [.fenced])
            #expect(try await db.store.decide(change, of: early, by: node.right) == .fenced)
            #expect(
                try await db.store.reserve([path("b")], for: node.operation(alice), by: node.right) == .fenced
            )
            #expect(try await db.store.mark(folders: [path("b")], for: early, by: node.right) == .fenced)
            await #expect(throws: StoreError.self) {
                try await db.store.record(
                    [record(node.publication("a", alice), .running, by: node)], by: node.right)
            }
            #expect(try await db.number("select count(*) from flotilla.name where state = 'decided'") == 0)
        }
    }

    @Test func `a reservation takes all names or none and can be given up`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let (first, second) = (node.operation(alice), node.operation(alice))
            #expect(
                try await db.store.reserve([path("a"), path("b")], for: first, by: node.right) == .decided)
            #expect(
                try await db.store.reserve([path("c"), path("b")], for: second, by: node.right) == .busyName)
            #expect(try await db.store.unfinished(account: alice.id, path: path("c")) == nil)
            try await db.store.abandon(first, of: node.right.incarnation)
            #expect(
                try await db.store.reserve([path("c"), path("b")], for: second, by: node.right) == .decided)
            let change = NameChange.remove(try path("a"), node.staged("x").identity)
            #expect(try await db.store.decide(change, of: first, by: node.right) == .gone)
            #expect(try await db.store.decide(change, of: second, by: node.right) == .decided)
            try await db.store.abandon(second, of: node.right.incarnation)
            #expect(try await db.store.unfinished(account: alice.id, below: .home, limit: 9).count == 2)
        }
    }

    @Test func `a run gives up its own reservation and not that of the next run with the same id`()
        async throws
    {
        try await withTestDatabase { db in
            let (old, new) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let alice = try await db.account("alice")
            let first = old.operation(alice)
            var second = first
            #expect(try await db.store.reserve([path("a")], for: first, by: new.right) == .decided)
            // Another node's.
            try await db.store.abandon(first, of: old.right.incarnation)
            #expect(try await db.store.unfinished(account: alice.id, path: path("a")) != nil)
            // The same node's, begun at another time.
            second.origin.startedAt += 1
            try await db.store.abandon(second, of: new.right.incarnation)
            #expect(try await db.store.unfinished(account: alice.id, path: path("a")) != nil)
            try await db.store.abandon(first, of: new.right.incarnation)
            #expect(try await db.store.unfinished(account: alice.id, path: path("a")) == nil)
            second.origin.startedAt = Date()
            #expect(try await db.store.reserve([path("a")], for: second, by: new.right) == .decided)
            try await db.store.abandon(second, of: new.right.incarnation)
            #expect(try await db.store.unfinished(account: alice.id, path: path("a")) == nil)
        }
    }

    @Test func `each kind of change comes back as it was decided`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let strange = try HomePath(bytes: [0x61, 0x2F, 0xFF, 0xFE])
            let digest = Digest([UInt8](repeating: 9, count: 32))
            let folder = FileIdentity(inode: .max, size: 0, modified: 0, isFolder: true)
            let changes: [NameChange] = [
                .publish(path: strange, staged: node.staged("s"), digest: digest, replaces: false),
                .publish(
                    path: strange, staged: StagedIdentity(name: node.staged("s").name, identity: folder),
                    digest: nil, replaces: true),
                .move(from: strange, to: try path("z"), folder), .remove(strange, node.staged("s").identity),
            ]
            for change in changes {
                let operation = node.operation(alice)
                #expect(
                    try await db.store.reserve([strange, path("z")], for: operation, by: node.right)
                        == .decided)
                #expect(try await db.store.unfinished(account: alice.id, path: strange)?.change == nil)
                #expect(try await db.store.decide(change, of: operation, by: node.right) == .decided)
                for name in [strange, try path("z")] {
                    let found = try #require(try await db.store.unfinished(account: alice.id, path: name))
                    #expect(
                        found
                            == UnfinishedName(
                                operation: operation, incarnation: node.right.incarnation, path: name,
                                change: change))
                }
                try await db.sql("delete from flotilla.name")
            }
            let publication = try node.publication("plain", alice)
            #expect(try await db.store.decide([publication], by: node.right) == [.decided])
            #expect(
                try await db.store.unfinished(of: node.right.incarnation, limit: 9).first?.change
                    == .publish(
                        path: publication.path, staged: publication.staged, digest: publication.digest,
                        replaces: true))
        }
    }

    @Test func `below a marked folder only its own operation decides`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let (mover, other) = (node.operation(alice), node.operation(alice))
            #expect(
                try await db.store.reserve([path("d"), path("e")], for: mover, by: node.right) == .decided)
            #expect(
                try await db.store.mark(folders: [path("d"), path("e")], for: mover, by: node.right)
                    == .decided)
            #expect(
                try await db.store.mark(folders: [path("d"), path("e")], for: mover, by: node.right)
                    == .decided)
            for near in ["d", "d/x", "e/y"] {
                #expect(
                    try await db.store.mark(folders: [path(near)], for: other, by: node.right) == .busyFolder)
            }
            #expect(try await db.store.mark(folders: [.home], for: other, by: node.right) == .busyFolder)
            let answers = try await db.store.decide(
                [
                    try node.publication("d/x", alice), try node.publication("dx", alice),
                    try node.publication("e/y/z", alice),
                ], by: node.right)
            #expect(answers == [.busyFolder, .decided, .busyFolder])
            let identity = FileIdentity(inode: 1, size: 0, modified: 0, isFolder: true)
            let move = NameChange.move(from: try path("d"), to: try path("e"), identity)
            #expect(try await db.store.decide(move, of: mover, by: node.right) == .decided)
            try await db.store.release(folders: [path("d")], of: mover, by: node.right)
            #expect(try await db.store.decide([node.publication("d/x", alice)], by: node.right) == [.decided])
            #expect(
                try await db.store.decide([node.publication("e/x", alice)], by: node.right) == [.busyFolder])
            try await db.store.release(folders: [path("e")], of: mover, by: node.right)
            #expect(try await db.store.decide([node.publication("e/x", alice)], by: node.right) == [.decided])
        }
    }

    @Test func `a mark waits for decisions in flight and later decisions see it`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let mover = node.operation(alice)
            let early = try node.publication("d/early", alice)
            let late = try node.publication("d/late", alice)
            let blocker = try await db.session()
            // The early decision hangs on a name that somebody else is about to insert.
            let (first, marked, second) = try await blocker.transaction(deadline: .seconds(20)) {
                transaction in
                _ = try await transaction.query(
                    """
                    insert into flotilla.name (
                        account_id, path, operation, incarnation, state, account_name, node, protocol, client,
                        started_at)
                    values (
                        \(alice.id.rawValue), 'd/early', gen_random_uuid(), 1, 'reserved', 'x', 'x', 'x', 'x', now())
                    """)
                async let first = db.withOtherNode { try await $0.decide([early], by: node.right) }
                try await db.waitForLockWaiters(1)
                async let marked = db.withOtherNode {
                    try await $0.mark(folders: [HomePath(bytes: Array("d".utf8))], for: mover, by: node.right)
                }
                try await db.waitForLockWaiters(2)
                _ = try await transaction.query(PostgresStatement("rollback").unprepared())
                let answers = (
                    try await first, try await marked, try await db.store.decide([late], by: node.right)
                )
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answers
            }
            await blocker.close()
            #expect(first == [.decided])
            #expect(marked == .decided)
            #expect(second == [.busyFolder])
            let below = try await db.store.unfinished(account: alice.id, below: path("d"), limit: 9)
            #expect(below.map(\.path) == [early.path])
        }
    }

    @Test func `a decision that waits for a mark finds the folder busy`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let publication = try node.publication("d/x", alice)
            let marker = try await db.session()
            async let marked = marker.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    """
                    update flotilla.home set busy = array['d'::bytea], busy_operation = array[gen_random_uuid()],
                        busy_incarnation = array[1]
                    """)
                try await db.waitForLockWaiters(1)
            }
            try await eventually {
                try await db.number(
                    "select count(*) from pg_stat_activity where query like 'update flotilla.home set busy =%'"
                ) > 0
            }
            #expect(
                try await db.withOtherNode { try await $0.decide([publication], by: node.right) } == [
                    .busyFolder
                ])
            try await marked
            await marker.close()
        }
    }

    @Test func `only the dead lose reservations and marks and decisions stay`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let operation = node.operation(alice)
            #expect(try await db.store.decide([node.publication("a", alice)], by: node.right) == [.decided])
            #expect(
                try await db.store.reserve([path("b"), path("c")], for: operation, by: node.right) == .decided
            )
            #expect(try await db.store.mark(folders: [path("b")], for: operation, by: node.right) == .decided)
            #expect(try await db.store.abandonAll(of: node.right.incarnation) == 0)
            #expect(try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation))
            #expect(try await db.store.abandonAll(of: node.right.incarnation) == 3)
            #expect(
                try await db.store.unfinished(of: node.right.incarnation, limit: 9).map(\.path) == [path("a")]
            )
            #expect(try await db.number("select sum(cardinality(busy)) from flotilla.home") == 0)
        }
    }

    @Test func `of many finishers each operation is finished by exactly one`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            var finished: [FinishedOperation] = []
            for number in 0..<20 {
                let publication = try node.publication("f\(number)", alice)
                let names = [publication.path, try path("g\(number)")]
                #expect(
                    try await db.store.reserve(names, for: publication.operation, by: node.right) == .decided)
                let move = NameChange.move(from: names[0], to: names[1], publication.staged.identity)
                #expect(
                    try await db.store.decide(move, of: publication.operation, by: node.right) == .decided)
                finished.append(
                    FinishedOperation(
                        operation: publication.operation, names: names, record: record(publication, by: node))
                )
            }
            let orders = [finished, finished.reversed(), finished.shuffled(), finished.shuffled()]
            let won = try await withThrowingTaskGroup(of: Set<UUID>.self) { group in
                for order in orders {
                    group.addTask { try await db.withOtherNode { try await $0.finish(order) } }
                }
                return try await group.reduce(into: [UUID]()) { $0 += $1 }
            }
            #expect(won.count == 20)
            #expect(Set(won) == Set(finished.map(\.operation.id)))
            #expect(try await db.number("select count(*) from flotilla.name") == 0)
            #expect(
                try await db.number("select count(*) from flotilla.transfer where status = 'completed'") == 20
            )
            #expect(try await db.store.finish(finished) == [])
        }
    }

    @Test func `a reservation cannot be finished`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let publication = try node.publication("a", alice)
            #expect(
                try await db.store.reserve([publication.path], for: publication.operation, by: node.right)
                    == .decided)
            let item = FinishedOperation(
                operation: publication.operation, names: [publication.path],
                record: record(publication, by: node))
            #expect(try await db.store.finish([item]) == [])
            #expect(try await db.store.transfer(id: publication.operation.id) == nil)
        }
    }
}
