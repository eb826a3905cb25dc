import Foundation
import Glibc
import PostgresDriver
import Synchronization
import Testing

/// How often each of ten thousand tasks was answered.
private final class Answers: Sendable {
    private let counts = Mutex([Int](repeating: 0, count: 10_000))
    func note(_ number: Int) { self.counts.withLock { $0[number] += 1 } }
    var isOneEach: Bool { self.counts.withLock { counts in counts.allSatisfy { $0 == 1 } } }
}

/// What networks and dying servers do to statements, with a real PostgreSQL behind a proxy.
struct NetworkFaultTests {
    private func throughProxy(
        _ change: (inout PostgresPoolConfiguration) -> Void = { _ in },
        _ body: (PrivateServer, FaultProxy, PostgresPool) async throws -> Void
    ) async throws {
        try await withPrivateServer { server in
            let proxy = try FaultProxy(to: server.port)
            defer { proxy.close() }
            var configuration = PostgresPoolConfiguration(
                server: server.network("sslmode=disable gssencmode=disable", port: proxy.port),
                connections: 2)
            configuration.stallLimit = .milliseconds(300)
            configuration.healthCheckInterval = .milliseconds(200)
            configuration.healthCheckLimit = .milliseconds(200)
            change(&configuration)
            try await withPool(configuration) { pool in
                _ = try await pool.query("select 1")
                try await body(server, proxy, pool)
            }
        }
    }

    private func works(_ pool: PostgresPool) async throws {
        try await eventually("it works again") {
            await failure { _ = try await pool.query("select 1", deadline: .seconds(1)) } == nil
        }
    }

    @Test func `after a reset what was sent may have run and the rest goes on`() async throws {
        try await self.throughProxy { _, proxy, pool in
            try await eventually("both are there") { await pool.statistics().ready == 2 }
            try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                for _ in 0..<2 {
                    group.addTask { await failure { _ = try await pool.query("select pg_sleep(20)") } }
                }
                try await eventually("both are under way") { await pool.statistics().inFlight == 2 }
                proxy.resetAll()
                for try await error in group {
                    guard case .mayHaveRun(.connectionLost) = error else {
                        Issue.record("unexpected: \(String(describing: error))")
                        continue
                    }
                }
            }
            try await self.works(pool)
            try await eventually("both losses are counted") { await pool.statistics().lostTotal == 2 }
        }
    }

    @Test func `a half-open socket is found out by idle connections too`() async throws {
        try await self.throughProxy { _, proxy, pool in
            try await eventually("both are there") { await pool.statistics().ready == 2 }
            proxy.mode = .swallow
            try await eventually("the silence is noticed") {
                await pool.statistics().closedTotal[.stalled, default: 0] >= 2
            }
            let error = await failure { _ = try await pool.query("select 1", deadline: .milliseconds(300)) }
            guard case .didNotRun(.deadline) = error else {
                Issue.record("unexpected: \(String(describing: error))")
                return
            }
            proxy.mode = .pass
            try await self.works(pool)
        }
    }

    @Test func `a statement swallowed by the network may have run`() async throws {
        let unchecked: (inout PostgresPoolConfiguration) -> Void = { $0.healthCheckInterval = .seconds(60) }
        try await self.throughProxy(unchecked) { _, proxy, pool in
            proxy.mode = .swallow
            let error = await failure { _ = try await pool.query("select 1", deadline: .milliseconds(200)) }
            #expect(error == .mayHaveRun(.deadline))
            proxy.mode = .pass
            try await self.works(pool)
        }
    }

    @Test func `a slow server is waited for`() async throws {
        let patient: (inout PostgresPoolConfiguration) -> Void = {
            $0.stallLimit = .seconds(5)
            $0.healthCheckInterval = .seconds(60)
        }
        try await self.throughProxy(patient) { _, proxy, pool in
            proxy.mode = .delay(150)
            for number in 0..<5 {
                #expect(
                    try await pool.query("select \(number)", deadline: .seconds(5))[0][0, as: Int.self]
                        == number)
            }
            let late = await failure { _ = try await pool.query("select 1", deadline: .milliseconds(50)) }
            #expect(late == .mayHaveRun(.deadline))
            proxy.mode = .pass
            try await self.works(pool)
            #expect(await pool.statistics().lostTotal == 0)
        }
    }

    @Test func `when the reply is lost after the commit, the row is there and the error says so`()
        async throws
    {
        let single: (inout PostgresPoolConfiguration) -> Void = { $0.connections = 1 }
        try await self.throughProxy(single) { server, proxy, pool in
            _ = try await pool.query("create table kept (id int8)")
            _ = try await pool.query("insert into kept values (\(0))")
            for cut in [1, 5, 6, 20, 26, 31] {
                proxy.mode = .cutAnswers(after: cut)
                let error = await failure { _ = try await pool.query("insert into kept values (\(cut))") }
                proxy.mode = .pass
                guard case .mayHaveRun(.connectionLost) = error else {
                    Issue.record("cut after \(cut): \(String(describing: error))")
                    continue
                }
                let count = try server.query("select count(*) from kept where id = \(cut)")
                #expect(try count[0][0, as: Int.self] == 1)
                try await self.works(pool)
            }
        }
    }

    @Test func `a killed backend is an unknown outcome and the server comes back`() async throws {
        try await withPrivateServer { server in
            let configuration = PostgresPoolConfiguration(server: server.network(), connections: 1, depth: 4)
            try await withPool(configuration) { pool in
                let backend = try await pool.query("select pg_backend_pid()")[0][0, as: Int32.self]
                try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                    for _ in 0..<4 {
                        group.addTask { await failure { _ = try await pool.query("select pg_sleep(20)") } }
                    }
                    try await eventually("all are under way") { await pool.statistics().inFlight == 4 }
                    kill(backend, SIGKILL)
                    var unknown = 0
                    for try await error in group {
                        if case .mayHaveRun(.connectionLost) = error { unknown += 1 }
                    }
                    #expect(unknown == 4)
                }
                try await self.works(pool)
            }
        }
    }

    @Test func `a restart of the server fails only what was under way`() async throws {
        try await withPrivateServer { server in
            let configuration = PostgresPoolConfiguration(server: server.network(), connections: 2, depth: 1)
            try await withPool(configuration) { pool in
                for _ in 0..<2 {
                    try await self.works(pool)
                    try server.stopFast()
                    try await withThrowingTaskGroup(of: PostgresError?.self) { group in
                        group.addTask {
                            await failure { _ = try await pool.query("select 7", deadline: .seconds(9)) }
                        }
                        try await server.start()
                        for try await error in group {
                            // It may have been sent on a connection that had not heard of the end yet.
                            if case .mayHaveRun(.connectionLost) = error { continue }
                            #expect(error == nil)
                        }
                    }
                }
                try await self.works(pool)
            }
        }
    }

    @Test func `too many connections are a clear error, and it works again later`() async throws {
        try await withPrivateServer(["max_connections": "4", "superuser_reserved_connections": "0"]) {
            server in
            var held: [BlockingPostgresConnection] = []
            try await eventually("the server is full") {
                let one = try? BlockingPostgresConnection(server.superuser, deadline: .seconds(2))
                if let one { held.append(one) }
                return one == nil
            }
            let configuration = PostgresPoolConfiguration(server: server.network(), connections: 2)
            try await withPool(configuration) { pool in
                let error = await failure { _ = try await pool.query("select 1", deadline: .seconds(2)) }
                guard case .didNotRun(.deadline(let reason?)) = error else {
                    Issue.record("unexpected: \(String(describing: error))")
                    return
                }
                #expect(reason.contains("too many clients already"))
                let attempts = await pool.statistics().connectFailedTotal
                #expect(attempts >= 4 && attempts < 40)  // Backed off: two connections in two seconds.
                held.removeAll()
                try await self.works(pool)
            }
        }
    }

    @Test func `ten thousand tasks each get one answer when the server goes away, and nothing leaks`()
        async throws
    {
        try await withPrivateServer { server in
            let configuration = PostgresPoolConfiguration(
                server: server.network(), connections: 2, waitingLimit: 20_000)
            try await withPool(configuration) { pool in
                try await self.crowd(pool, server)  // The first time warms up what is kept for good.
                let (descriptors, memory) = (try openDescriptors(), residentKiB())
                for _ in 0..<2 { try await self.crowd(pool, server) }
                #expect(try openDescriptors() <= descriptors + 4)
                #expect(residentKiB() <= memory + 40_000)
            }
        }
    }

    private func crowd(_ pool: PostgresPool, _ server: PrivateServer) async throws {
        let answers = Answers()
        let slowest = try await withThrowingTaskGroup(of: Duration.self) { group in
            for number in 0..<10_000 {
                group.addTask {
                    let start = ContinuousClock.now
                    // Long enough each for many to wait when the server goes.
                    let error = await failure {
                        _ = try await pool.query("select pg_sleep(0.01)", deadline: .seconds(3))
                    }
                    answers.note(number)
                    switch error {
                    case nil, .mayHaveRun, .didNotRun(.deadline): break
                    case .didNotRun(.notConnected): break
                    default: Issue.record("unexpected: \(String(describing: error))")
                    }
                    return start.duration(to: .now)
                }
            }
            try await eventually("a crowd waits") { await pool.statistics().waiting > 5_000 }
            try server.stopFast()
            var slowest = Duration.zero
            for try await time in group { slowest = max(slowest, time) }
            return slowest
        }
        #expect(answers.isOneEach)
        #expect(slowest < .seconds(6))
        let statistics = await pool.statistics()
        #expect(statistics.waiting == 0 && statistics.inFlight == 0)
        try await server.start()
        try await self.works(pool)
    }

    private func residentKiB() -> Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        let fields = text.split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4 : 0
    }
}
