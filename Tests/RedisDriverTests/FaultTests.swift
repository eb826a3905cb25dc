import Foundation
import RedisDriver
import Testing

/// What calls see while a server dies, hangs, lies and comes back.
@Suite(.serialized) struct FaultTests {
    @Test func `calls fail at once while the server is dead and work again when it is back`() async throws {
        let server = try RedisProcess()
        try await withClient(patient(server.url)) { client in
            try await client.set("k", to: [1])
            server.kill()
            await eventually("the loss was not noticed") { client.refusal != nil }
            let started = ContinuousClock.now
            for _ in 0..<1000 {
                let error = await failure { try await client.get("k") } as? RedisError
                guard case .unavailable = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
            #expect(started.duration(to: .now) < .seconds(2))
            try server.start()
            await eventually("it never came back") { client.refusal == nil }
            #expect(try await client.get("k") == nil)
            #expect(client.statistics.connections == 2)
        }
    }

    @Test func `ten thousand waiting calls each get one answer when the server is killed`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            server.pause()
            let lost = await withTaskGroup { group in
                for _ in 0..<10_000 {
                    group.addTask { await failure { try await client.get("k") } as? RedisError }
                }
                await eventually("the calls were not sent") { client.statistics.sent == 10_000 }
                server.kill()
                return await group.reduce(into: 0) { count, error in
                    if case .connectionLost = error { count += 1 }
                }
            }
            #expect(lost == 10_000)
            #expect(client.statistics.lost == 10_000)
            #expect(client.statistics.inFlight == 0)
            try server.start()
            await eventually("it never came back") { client.refusal == nil }
            try await client.ping()
        }
    }

    @Test func `a paused server costs each call its budget, then nothing, and late answers go to nobody`()
        async throws
    {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.callBudget = .milliseconds(50)
        configuration.breaker = .init(failuresMax: 3, rest: .milliseconds(20))
        configuration.connectBudget = .seconds(30)
        try await withClient(configuration) { client in
            try await client.set("a", to: [1], budget: .seconds(5))
            server.pause()
            for number in 0..<3 {
                let started = ContinuousClock.now
                let error = await failure { try await client.get("a") } as? RedisError
                #expect(error == .timedOut(.milliseconds(50)), "call \(number)")
                let took = started.duration(to: .now)
                #expect(took >= .milliseconds(50) && took < .seconds(1))
            }
            #expect(client.statistics.circuitOpened == 1)
            let error = await failure { try await client.get("a") } as? RedisError
            #expect(error == .unavailable("3 calls in a row were not answered in time"))
            server.resume()
            await eventually("the circuit never closed") { client.refusal == nil }
            #expect(try await client.get("a", budget: .seconds(5)) == [1])
            #expect(try await client.get("b", budget: .seconds(5)) == nil)
            #expect(client.statistics.late == 3)
            #expect(client.statistics.timedOut == 3)
            #expect(client.statistics.connections == 1)
        }
    }

    @Test func `a server that stays paused is left, and found again on a new connection`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.callBudget = .milliseconds(20)
        configuration.connectBudget = .milliseconds(100)
        configuration.breaker = .init(failuresMax: 1, rest: .milliseconds(10))
        try await withClient(configuration) { client in
            server.pause()
            _ = await failure { try await client.get("a") }
            await eventually("the probe never failed") {
                client.refusal?.description.contains("probe") == true
            }
            await eventually("no attempt to greet failed") {
                client.refusal?.description.contains("greeting") == true
            }
            server.resume()
            await eventually("it never came back") { client.refusal == nil }
            try await client.ping(budget: .seconds(5))
            #expect(client.statistics.connections >= 2)
        }
    }

    @Test func `a cancelled call ends at once and its answer goes to nobody`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            try await client.set("a", to: [1])
            server.pause()
            let error = await withTaskGroup(of: RedisError?.self) { group in
                group.addTask {
                    await failure { try await client.get("a", budget: .seconds(60)) } as? RedisError
                }
                await eventually("the call was not sent") { client.statistics.sent == 2 }
                group.cancelAll()
                return await group.next().flatMap { $0 }
            }
            #expect(error == .cancelled)
            server.resume()
            #expect(try await client.get("none") == nil)
            #expect(client.statistics.late == 1)
            let early = await withTaskGroup(of: RedisError?.self) { group in
                group.cancelAll()
                group.addTask { await failure { try await client.get("a") } as? RedisError }
                return await group.next().flatMap { $0 }
            }
            #expect(early == .cancelled)
        }
    }

    @Test func `no more calls than the limit wait for answers`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.inFlightMax = 10
        try await withClient(configuration) { client in
            server.pause()
            try await withThrowingTaskGroup { group in
                for _ in 0..<10 { group.addTask { try await client.ping() } }
                await eventually("the calls were not sent") { client.statistics.sent == 10 }
                #expect(await refusal { try await client.ping() } == .overloaded(limit: 10))
                server.resume()
                try await group.waitForAll()
            }
            try await client.ping()
        }
    }

    @Test(arguments: [
        "+one\r\n+two\r\n", "!nonsense\r\n", "*1000000000\r\n", "*2147483648\r\n", "$-7\r\n",
        "$99999999999999999999\r\n",
        ":notanumber\r\n", String(repeating: "*1\r\n", count: 20), "*-9\r\n", "\r\n", "\0\0\0\0",
        String(repeating: "*1\r\n", count: 200_000), ">2\r\n+invalidate\r\n*0\r\n", "%1\r\n+k\r\n+v\r\n",
        "#t\r\n",
        "-\r\n-\r\n",
    ])
    func `a lying server ends its connection and nothing else`(_ lie: String) async throws {
        let server = try LyingServer(.say(lie), .say("+PONG\r\n"))
        defer { server.stop() }
        try await withClient(patient(server.url)) { client in
            _ = await failure { try await client.get("a") }
            await eventually("the lie was not noticed") {
                client.statistics.connections == 2 && client.refusal == nil
            }
            try await client.ping()
        }
    }

    @Test func `half an answer and no more ends with the connection`() async throws {
        let server = try LyingServer(.sayAndLeave("$100\r\nhalf"), .say("+PONG\r\n"))
        defer { server.stop() }
        try await withClient(patient(server.url)) { client in
            guard case .connectionLost = await failure({ try await client.get("a") }) as? RedisError else {
                Issue.record("half an answer was taken")
                return
            }
            await eventually("it never came back") { client.refusal == nil }
            try await client.ping()
        }
    }

    @Test func `an answer that never ends is cut off`() async throws {
        let server = try LyingServer(
            .say("$200000\r\n" + String(repeating: "x", count: 150_000)), .say("+PONG\r\n"))
        defer { server.stop() }
        var configuration = patient(server.url)
        configuration.replyBytesMax = 100_000
        try await withClient(configuration) { client in
            #expect(
                await refusal { try await client.get("a") }
                    == .malformed("a reply of more than 100000 bytes"))
        }
    }

    @Test func `an answer of the wrong type is an error of that call alone`() async throws {
        let server = try LyingServer(.say(":1\r\n"))
        defer { server.stop() }
        try await withClient(patient(server.url)) { client in
            #expect(
                await refusal { try await client.get("a") }
                    == .unexpectedReply(command: "GET", reply: "an integer"))
            #expect(client.refusal == nil)
        }
    }

    @Test func `two hundred connections leave no descriptor behind`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            let before = try openDescriptors()
            for round in 1...200 {
                _ = await failure {
                    try await client.send(RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"))
                }
                await eventually("it never came back") {
                    client.statistics.connections > round && client.refusal == nil
                }
            }
            // Tests of other suites may have a few open at the same time.
            #expect(try openDescriptors() < before + 50)
        }
    }

    @Test func `a client that was shut down says so`() async throws {
        let url = try sharedServer()
        var kept: RedisClient?
        try await withClient(patient(url)) { kept = $0 }
        let client = try #require(kept)
        #expect(await refusal { try await client.get("a") } == .shutDown)
        #expect(throws: RedisError.shutDown) { _ = try client.messages(on: ["c"]) }
    }
}

private func openDescriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
}
