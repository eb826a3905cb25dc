import Foundation
import RedisDriver
import Testing

/// What calls see while the way to the server, or the server's state, is bad.
@Suite(.serialized) struct ProxyFaultTests {
    private func withProxy(
        callBudget: Duration = .milliseconds(50), connectBudget: Duration = .milliseconds(200),
        breaker: CircuitBreaker.Settings = .init(),
        _ body: (RedisClient, FaultyProxy) async throws -> Void
    ) async throws {
        let server = try RedisProcess()
        let proxy = try FaultyProxy(to: server.port)
        defer { proxy.stop() }
        var configuration = patient(proxy.url)
        configuration.callBudget = callBudget
        configuration.connectBudget = connectBudget
        configuration.breaker = breaker
        configuration.heartbeatInterval = .milliseconds(50)
        try await withClient(configuration) { try await body($0, proxy) }
    }

    @Test func `on a half-open connection ten thousand callers each get one answer within their budget`()
        async throws
    {
        try await self.withProxy { client, proxy in
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            proxy.set(.swallow)
            let started = ContinuousClock.now
            let outcomes = await withTaskGroup { group in
                for _ in 0..<10_000 { group.addTask { await refusal { try await client.get("k") } } }
                return await group.reduce(into: [RedisError?]()) { $0.append($1) }
            }
            #expect(outcomes.count == 10_000)
            #expect(outcomes.allSatisfy { $0?.isAbsence == true })
            // Ten thousand tasks in a debug build on a busy machine; the budget itself is 50 ms.
            #expect(started.duration(to: .now) < .seconds(5))
            #expect(client.statistics.circuitOpened == 1)
            await eventually("the connection was not given up") {
                client.refusal?.description.contains("greeting in time") == true
            }
            proxy.set(.pass)
            await eventually("it never came back") { client.refusal == nil }
            try await client.ping(budget: .seconds(5))
            #expect(client.statistics.inFlight == 0)
            #expect(await events.next() == .mayHaveMissed)
        }
    }

    @Test func `a slow server costs each call its budget and no connection`() async throws {
        let breaker = CircuitBreaker.Settings(failuresMax: 3, rest: .milliseconds(20))
        try await self.withProxy(connectBudget: .seconds(10), breaker: breaker) { client, proxy in
            proxy.set(.delay(milliseconds: 150))
            for _ in 0..<3 {
                #expect(await refusal { try await client.get("k") } == .timedOut(.milliseconds(50)))
            }
            guard case .unavailable = await refusal({ try await client.get("k") }) else {
                Issue.record("the circuit did not open")
                return
            }
            proxy.set(.pass)
            await eventually("the circuit never closed") { client.refusal == nil }
            try await client.ping(budget: .seconds(5))
            #expect(client.statistics.connections == 1)
        }
    }

    @Test func `resets under load lose calls and nothing else`() async throws {
        try await self.withProxy(callBudget: .seconds(5)) { client, proxy in
            try await withThrowingTaskGroup { group in
                for number in 0..<32 {
                    group.addTask {
                        while !Task.isCancelled {
                            let error = await failure {
                                try await client.set("k\(number)", to: Array("\(number)".utf8))
                                let value = try await client.get("k\(number)")
                                #expect(value == Array("\(number)".utf8))
                            }
                            if let error = error as? RedisError {
                                #expect(error.isAbsence || error == .cancelled, "\(error)")
                                await Task.yield()
                            }
                        }
                    }
                }
                for round in 1...10 {
                    let before = client.statistics.answered
                    await eventually("no work in round \(round)") {
                        client.statistics.answered > before + 200
                    }
                    proxy.reset()
                    await eventually("no reconnection in round \(round)") {
                        client.statistics.connections > round
                    }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            await eventually("places were not given back") { client.statistics.inFlight == 0 }
        }
    }

    @Test func `random bytes, cut and spliced answers end connections and never the process`() async throws {
        var random = SystemRandomNumberGenerator()
        let answers = [
            "$5\r\nhello\r\n", "+OK\r\n", ":12\r\n", "*2\r\n$1\r\na\r\n$-1\r\n", "-ERR no\r\n", "*1\r\n:",
        ]
        var lies: [LyingServer.Lie] = []
        for number in 0..<200 {
            var bytes = (0..<Int.random(in: 1...64, using: &random)).map { _ in UInt8.random(in: 0...255) }
            if number.isMultiple(of: 2) {
                bytes = Array((0..<8).map { _ in answers.randomElement() ?? "" }.joined().utf8)
                bytes.removeLast(Int.random(in: 0..<bytes.count))
                bytes[Int.random(in: bytes.indices)] = UInt8.random(in: 0...255)
            }
            lies.append(.sayBytes(bytes))
        }
        let server = try LyingServer(lies + [.say("$1\r\nx\r\n")])
        defer { server.stop() }
        var configuration = patient(server.url)
        configuration.callBudget = .milliseconds(20)
        configuration.connectBudget = .milliseconds(20)
        configuration.breaker = .init(failuresMax: 1, rest: .milliseconds(1))
        try await withClient(configuration) { client in
            await eventually(within: .seconds(60), "only \(server.connections) lies were told") {
                _ = await refusal { try await client.get("k") }
                return server.connections > 200
            }
            await eventually("it never came back") { await refusal { try await client.get("k") } == nil }
        }
    }

    @Test func `connections that come and go leave no descriptor and no memory behind`() async throws {
        try await self.withProxy { client, proxy in
            func cycle() async {
                let before = client.statistics.connections
                proxy.reset()
                await eventually("it never came back") {
                    client.statistics.connections > before && client.refusal == nil
                }
                for _ in 0..<20 { _ = await refusal { try await client.get("k") } }
            }
            for _ in 0..<50 { await cycle() }
            let (descriptors, kilobytes) = try ownUse()
            for _ in 0..<300 { await cycle() }
            let after = try ownUse()
            #expect(after.descriptors < descriptors + 30)
            #expect(after.kilobytes < kilobytes + 8 * 1024)
        }
    }

    @Test func `a full server refuses what needs room, and that counts as absence`() async throws {
        let server = try RedisProcess("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            let error = await refusal { try await client.set("k", to: [UInt8](repeating: 1, count: 2 << 20)) }
            guard case .rejected("OOM", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.isAbsence == true)
            let value = try await client.get("k")
            #expect(value == nil)
        }
    }

    @Test func `a replica refuses writes, which counts as absence, and answers reads`() async throws {
        let master = try RedisProcess()
        defer { withExtendedLifetime(master) {} }
        let replica = try RedisProcess("--replicaof", "127.0.0.1", "\(master.port)")
        defer { withExtendedLifetime(replica) {} }
        try await withClient(patient(replica.url)) { client in
            let error = await refusal { try await client.set("k", to: [1]) }
            guard case .rejected("READONLY", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.isAbsence == true)
            let value = try await client.get("k")
            #expect(value == nil)
            #expect(client.statistics.connections == 1)
        }
    }

    @Test func `a server that is still loading is waited for`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "redis-loading-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let server = try RedisProcess("--enable-debug-command", "yes", "--dir", folder.path)
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            _ = try await client.send(RedisCommand("DEBUG", "POPULATE", "20000", "key", "100"))
            _ = try await client.send(RedisCommand("SAVE"))
            server.kill()
            try server.start(
                with: "--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024")
            await eventually("loading was not noticed: \(String(describing: client.refusal))") {
                client.refusal?.description.contains("LOADING") == true
            }
            await eventually(within: .seconds(30), "it never came back") { client.refusal == nil }
            #expect(try await client.get("key:7")?.isEmpty == false)
        }
    }

    @Test func `a flushed server misses and goes on`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            try await client.set("k", to: [1])
            _ = try await client.send(RedisCommand("FLUSHALL"))
            #expect(try await client.get("k") == nil)
            #expect(client.statistics.connections == 1)
        }
    }
}

/// Descriptors and resident memory of this process.
private func ownUse() throws -> (descriptors: Int, kilobytes: Int) {
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    return (descriptors, Int(line.filter(\.isNumber)) ?? 0)
}
