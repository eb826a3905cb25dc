import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

/// The two connections of a node that hold its advisory lock.
@Suite(.serialized) struct LineTests {
    /// Lines that a network between them and the server may cut: nothing is answered, and the server hears nothing.
    private final class CutLines: HeartbeatLines {
        final class Cut: Sendable {
            let isCut = Mutex(false)
            let failed = Mutex(0)

            func check() throws(StoreError) {
                guard self.isCut.withLock({ $0 }) else { return }
                self.failed.withLock { $0 += 1 }
                throw .mayHaveRun("the network is cut")
            }
        }

        private final class Line: HeartbeatLine {
            let inner: any HeartbeatLine
            let cut: Cut

            init(_ inner: any HeartbeatLine, _ cut: Cut) {
                self.inner = inner
                self.cut = cut
            }

            func beat(_ pulse: Pulse, within limit: Duration) throws(StoreError) -> HeartbeatAnswer {
                try self.cut.check()
                return try self.inner.beat(pulse, within: limit)
            }

            func check(within limit: Duration) throws(StoreError) {
                try self.cut.check()
                try self.inner.check(within: limit)
            }

            func close() { self.inner.close() }
        }

        let inner: any HeartbeatLines
        let cut = Cut()

        init(_ inner: any HeartbeatLines) { self.inner = inner }

        func open(
            for incarnation: Incarnation, within limit: Duration
        ) throws(StoreError) -> any HeartbeatLine {
            if self.cut.isCut.withLock({ $0 }) { throw .notRun("the network is cut") }
            return Line(try self.inner.open(for: incarnation, within: limit), self.cut)
        }
    }

    private static func holders(of incarnation: Incarnation, _ db: TestDatabase) async throws -> Int {
        let rows = try await db.pool.query(
            """
            select count(*) from pg_locks l
            where l.locktype = 'advisory' and l.granted and l.objsubid = 1
              and l.database = (select oid from pg_database where datname = current_database())
              and (l.classid::bigint << 32) + l.objid::bigint = \(incarnation.rawValue)
            """)
        return try rows.exactlyOne()[0, as: Int.self]
    }

    @Test func `of two lines that are cut at once one keeps the lock until another stands`() async throws {
        try await withTestDatabase { db in
            try await TestNodes.withFolder { folder in
                let lines = CutLines(db.lines)
                let node = TestNodes.node("a", db, mount: folder, lines: lines)
                try await TestNodes.running([node]) {
                    try await eventually(within: .seconds(20)) { TestNodes.isServing(node) }
                    let incarnation = try #require(node.board.standing().right).incarnation
                    #expect(try await Self.holders(of: incarnation, db) == 2)
                    var fewest = 2
                    lines.cut.isCut.withLock { $0 = true }
                    try await eventually("both lines have failed", within: .seconds(8)) {
                        fewest = min(fewest, try await Self.holders(of: incarnation, db))
                        return fewest < 2 && lines.cut.failed.withLock { $0 } >= 2
                    }
                    try await eventually("the node knows it", within: .seconds(8)) {
                        fewest = min(fewest, try await Self.holders(of: incarnation, db))
                        return !TestNodes.isServing(node)
                    }
                    lines.cut.isCut.withLock { $0 = false }
                    try await eventually("both lines stand again", within: .seconds(8)) {
                        let holders = try await Self.holders(of: incarnation, db)
                        fewest = min(fewest, holders)
                        return holders == 2 && TestNodes.isServing(node)
                    }
                    #expect(fewest == 1)
                    #expect(node.board.standing().right?.incarnation == incarnation)
                }
                try await eventually("nothing is kept") {
                    try await db.pool.query(
                        "select count(*) from pg_locks where locktype = 'advisory' and objsubid = 1"
                    ).exactlyOne()[0, as: Int.self] == 0
                }
            }
        }
    }

    @Test func `a join that surely did not run is asked for again`() async throws {
        try await withTestDatabase { db in
            try await TestNodes.withFolder { folder in
                let node = TestNodes.node("a", db, mount: folder)
                let session = try await PostgresConnection.connect(
                    db.configuration.pool.server, loop: db.loop, logger: db.logger)
                _ = try await session.query("begin")
                _ = try await session.query("lock table flotilla.member in share mode")
                let waiting: @Sendable () async throws -> Int = {
                    try await db.pool.query(
                        """
                        select count(*) from pg_stat_activity
                        where datname = current_database() and wait_event_type = 'Lock'
                        """
                    ).exactlyOne()[0, as: Int.self]
                }
                try await TestNodes.running([node]) {
                    try await eventually("it joins", within: .seconds(20)) { try await waiting() == 1 }
                    // Its lock_timeout.
                    try await eventually("it is refused", within: .seconds(4)) { try await waiting() == 0 }
                    _ = try await session.query("rollback")
                    try await eventually(within: .seconds(20)) { TestNodes.isServing(node) }
                }
                await session.close()
            }
        }
    }
}
