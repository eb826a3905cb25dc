import PostgresDriver
import Testing

struct LaneTests {
    private func lanes() throws -> PostgresPoolConfiguration {
        try changed {
            $0.connections = 1
            $0.depth = 2
            $0.waitingLimit = 5
            $0.lanes[.claims] = PostgresLaneSizes(connections: 1, depth: 4, waitingLimit: 3)
        }
    }

    @Test func `a full ordinary lane holds up no claim`() async throws {
        let lock = try HeldLock()
        try await withPool(self.lanes()) { pool in
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                group.addTask {
                    await failure { _ = try await pool.query("select pg_advisory_lock(\(lock.key))") }
                }
                _ = try await lock.waiter()
                for _ in 0..<6 {
                    group.addTask { await failure { _ = try await pool.query("select 1") } }
                }
                try await eventually("the ordinary lane is full") { await pool.statistics().waiting == 5 }
                #expect(await failure { _ = try await pool.query("select 1") } == .didNotRun(.queueFull))
                for number in 0..<100 {
                    let rows = try await pool.lane(.claims).query("select \(number)", deadline: .seconds(2))
                    #expect(try rows[0][0, as: Int.self] == number)
                }
                let lanes = await pool.laneStatistics()
                #expect(lanes[.claims]?.servedTotal == 100)
                #expect(lanes[.claims]?.connections == 1)
                #expect(lanes[.ordinary]?.servedTotal == 0)
                #expect(lanes[.ordinary]?.inFlight == 2)
                #expect(lanes[.ordinary]?.waiting == 5)
                #expect(lanes[.ordinary]?.notRunTotal == 1)
                lock.release()
                for try await error in group { #expect(error == nil) }
            }
            let ordinary = await pool.laneStatistics()[.ordinary]
            #expect(ordinary?.servedTotal == 7)
            #expect(ordinary?.waitedTotal ?? 0 >= 5)
            #expect(ordinary?.waitTimeMax ?? .zero > .zero)
            #expect(ordinary?.waitTimeTotal ?? .zero >= ordinary?.waitTimeMax ?? .zero)
            #expect(await pool.statistics().servedTotal == 107)
        }
    }

    @Test func `a lane that nobody configured is the ordinary one`() async throws {
        try await withPool { pool in
            #expect(pool.lane(.claims).lane == .ordinary)
            let rows = try await pool.lane(PostgresLane("other")).query("select 1")
            #expect(rows.count == 1)
        }
    }

    @Test func `connections past their age are replaced and no statement fails`() async throws {
        let configuration = try changed {
            $0.maximumAge = .milliseconds(100)
            $0.depth = 8
        }
        try await withPool(configuration) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        var number = 0
                        while await pool.statistics().closedTotal[.aged, default: 0] < 6 {
                            number += 1
                            let rows = try await pool.query("select \(number)")
                            #expect(try rows[0][0, as: Int.self] == number)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let statistics = await pool.statistics()
            #expect(
                statistics.failedTotal == 0 && statistics.unknownTotal == 0 && statistics.notRunTotal == 0)
            #expect(statistics.lostTotal == 0)
            #expect(statistics.connectedTotal >= 7)
        }
    }

    @Test func `silent connections are tried, and that is nobody's statement`() async throws {
        try await withPool(changed { $0.healthCheckInterval = .milliseconds(50) }) { pool in
            try await eventually("they have been tried") { await pool.statistics().probedTotal >= 6 }
            let statistics = await pool.statistics()
            #expect(statistics.sentTotal == 0 && statistics.servedTotal == 0)
            #expect(statistics.lostTotal == 0)
            #expect(try await pool.query("select 1").count == 1)
        }
    }

    @Test func `a statement that comes too late is not sent`() async throws {
        try await withPool { pool in
            _ = try await pool.query("select 1")
            let error = await failure { _ = try await pool.query("select 1", deadline: .zero) }
            #expect(error == .didNotRun(.deadline(nil)))
            #expect(await pool.statistics().sentTotal == 1)
        }
    }
}
