import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Foundation
import Logging
import PostgresStore
import ServiceLifecycle
import SharedMount
import Synchronization
import Testing

/// Whole nodes without doors: runtime, real database, real mount.
@Suite(.serialized) struct RuntimeTests {
    /// Opens the first line, and no other one after it.
    private final class OneLine: HeartbeatLines {
        private let inner: any HeartbeatLines
        private let opened = Mutex(0)

        init(_ inner: any HeartbeatLines) { self.inner = inner }

        /// Refused ones too.
        var asked: Int { self.opened.withLock { $0 } }

        func open(
            for incarnation: Incarnation, within limit: Duration
        ) throws(StoreError) -> any HeartbeatLine {
            let isFirst = self.opened.withLock { opened in
                opened += 1
                return opened == 1
            }
            guard isFirst else { throw .notRun("the database is away") }
            return try self.inner.open(for: incarnation, within: limit)
        }
    }

    @Test func `nodes join, see one another, and leave`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let nodes = ["a", "b", "c"].map { TestNodes.node($0, database, mount: folder) }
                try await TestNodes.running(nodes) {
                    try await eventually(within: .seconds(20)) {
                        nodes.allSatisfy { TestNodes.isServing($0) && $0.board.view()?.members.count == 3 }
                    }
                }
                let view = try await database.store.view()
                #expect(view.members.map(\.status) == [.dead, .dead, .dead])
                #expect(nodes.allSatisfy { $0.board.standing() == .outside })
            }
        }
    }

    @Test func `an evicted node notices, and joins again as a new incarnation`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                try await TestNodes.running([node]) {
                    try await eventually(within: .seconds(20)) { TestNodes.isServing(node) }
                    let first = try #require(node.board.standing().right)
                    #expect(try await database.store.leave(slot: first.slot, incarnation: first.incarnation))
                    try await eventually(within: .seconds(20)) {
                        (node.board.standing().right?.incarnation).map { $0 > first.incarnation } ?? false
                    }
                }
            }
        }
    }

    @Test func `a crashed member is declared dead by the others`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                try await TestNodes.running([node]) {
                    try await eventually(within: .seconds(20)) { TestNodes.isServing(node) }
                    let victim = try await JoinedNode.join(database, named: "victim")
                    try await victim.beat()
                    try await victim.dropLines()
                    try await eventually(within: .seconds(20)) {
                        let view = try await database.store.view()
                        return view.members.first { $0.incarnation == victim.right.incarnation }?.status
                            == .dead
                    }
                    try await eventually(within: .seconds(5)) { node.board.sweepDue() }
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `a node that waits for its second line can be stopped`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let lines = OneLine(database.lines)
                let node = TestNodes.node("a", database, mount: folder, lines: lines)
                try await TestNodes.running([node]) {
                    try await eventually(within: .seconds(8)) { lines.asked > 2 }
                }
                #expect(try await database.store.view().members.isEmpty)
            }
        }
    }

    @Test func `a live name is refused with one clear line`() async throws {
        try await withTestDatabase { database in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", database, mount: folder)
                try await TestNodes.running([node]) {
                    try await eventually(within: .seconds(20)) { TestNodes.isServing(node) }
                    let second = TestNodes.node("a", database, mount: folder)
                    await #expect(throws: RuntimeError.nameTaken(name: "a", node: "127.0.0.1:1")) {
                        try await second.run()
                    }
                    let staging = try await PosixVault(root: folder, logger: TestNodes.quiet)
                        .stagingIncarnations()
                    #expect(staging == [try #require(node.board.standing().right).incarnation])
                }
            }
        }
    }

    @Test func `two clusters on one folder at the same moment: one is refused`() async throws {
        try await withTestDatabase { first in
            try await withTestDatabase { second in
                try await TestNodes.withFolder { folder in
                    let nodes = [
                        TestNodes.node("a", first, mount: folder), TestNodes.node("a", second, mount: folder),
                    ]
                    let outcomes = await withTaskGroup(of: Bool.self) { group in
                        for node in nodes {
                            group.addTask {
                                do {
                                    try await TestNodes.running([node]) {
                                        try await eventually(within: .seconds(20)) {
                                            TestNodes.isServing(node)
                                        }
                                    }
                                    return true
                                } catch {
                                    return false
                                }
                            }
                        }
                        return await group.reduce(into: [Bool]()) { $0.append($1) }
                    }
                    #expect(outcomes.filter { $0 }.count == 1)
                }
            }
        }
    }
}
