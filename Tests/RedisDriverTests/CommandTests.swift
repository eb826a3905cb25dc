import RedisDriver
import Testing

@Suite struct CommandTests {
    @Test func `values of any bytes come back as they were set`() async throws {
        let prefix = uniquePrefix()
        try await withClient(patient(sharedServer())) { client in
            #expect(try await client.get(prefix + "none") == nil)
            for value in [[], Array("text".utf8), [0, 13, 10, 255], [UInt8](repeating: 7, count: 3_000_000)] {
                try await client.set(prefix + "v", to: value, lifetime: .seconds(60))
                #expect(try await client.get(prefix + "v") == value)
            }
            try await client.set(prefix + "w", to: [1], lifetime: .seconds(60))
            #expect(try await client.get([prefix + "w", prefix + "none"]) == [[1], nil])
            #expect(try await client.delete([prefix + "v", prefix + "w", prefix + "none"]) == 2)
            #expect(try await client.get(prefix + "v") == nil)
        }
    }

    @Test func `a lifetime ends`() async throws {
        let key = uniquePrefix() + "short"
        try await withClient(patient(sharedServer())) { client in
            try await client.set(key, to: [1], lifetime: .milliseconds(20))
            try await eventually("the key stayed") { try await client.get(key) == nil }
            try await client.set(key, to: [1], lifetime: .microseconds(1))
            try await eventually("the key stayed") { try await client.get(key) == nil }
        }
    }

    @Test func `refusals are errors with their code and leave the connection as it was`() async throws {
        let key = uniquePrefix() + "list"
        try await withClient(patient(sharedServer())) { client in
            _ = try await client.send(RedisCommand("RPUSH", key, "a"))
            let error = await failure { try await client.get(key) } as? RedisError
            guard case .rejected("WRONGTYPE", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.isAbsence == false)
            let unknown = await failure { try await client.send(RedisCommand("NOSUCH")) } as? RedisError
            guard case .rejected("ERR", _) = unknown else {
                Issue.record("\(String(describing: unknown))")
                return
            }
            try await client.ping()
            try await client.delete([key])
            #expect(client.statistics.connections == 1)
        }
    }

    @Test func `ten thousand concurrent calls each get their own answer`() async throws {
        let prefix = uniquePrefix()
        try await withClient(patient(sharedServer())) { client in
            for round in 0..<3 {
                try await withThrowingTaskGroup { group in
                    for number in 0..<10_000 {
                        group.addTask {
                            let key = prefix + "\(number)"
                            if round == 0 {
                                try await client.set(key, to: Array("\(number)".utf8), lifetime: .seconds(60))
                            } else {
                                #expect(try await client.get(key) == Array("\(number)".utf8))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            await eventually("places were not given back") { client.statistics.inFlight == 0 }
            #expect(client.statistics.sent == 30_000)
            #expect(client.statistics.answered == 30_000)
            #expect(client.statistics.connections == 1)
            let flushed = try await client.flush(prefix: prefix)
            #expect(flushed == RedisClient.Flushed(deleted: 10_000, isComplete: true))
        }
    }

    @Test func `a flush deletes what begins so and nothing else`() async throws {
        let prefix = uniquePrefix()
        try await withClient(patient(sharedServer())) { client in
            for name in ["a*:1", "a*:2", "ab:1", "b"] { try await client.set(prefix + name, to: [1]) }
            #expect(try await client.flush(prefix: prefix + "a*:") == .init(deleted: 2, isComplete: true))
            #expect(
                try await client.get([prefix + "a*:1", prefix + "ab:1", prefix + "b"]) == [nil, [1], [1]])
            #expect(try await client.flush(prefix: prefix).deleted == 2)
        }
    }

    @Test func `a flush stops at its limit and says so`() async throws {
        let server = try RedisProcess("--enable-debug-command", "yes")
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            _ = try await client.send(RedisCommand("DEBUG", "POPULATE", "5000", "p"))
            let flushed = try await client.flush(prefix: "p:", roundsMax: 2)
            #expect(!flushed.isComplete)
            #expect(flushed.deleted < 5000)
            #expect(try await client.flush(prefix: "p:").isComplete)
            #expect(try await client.send(RedisCommand("DBSIZE")) == .integer(0))
        }
    }

    @Test func `a script is loaded once and again after the server forgot it`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            let script = RedisScript("return {KEYS[1], ARGV[1], 7}")
            let expected = RedisValue.array([.bulk([107]), .bulk([0]), .integer(7)])
            #expect(try await script.run(on: client, keys: ["k"], arguments: [[0]]) == expected)
            _ = try await client.send(RedisCommand("SCRIPT", "FLUSH"))
            #expect(try await script.run(on: client, keys: ["k"], arguments: [[0]]) == expected)
            let error = await failure { try await RedisScript("return nonsense(").run(on: client, keys: []) }
            guard case .rejected = error as? RedisError else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test func `a command that is too long is refused before it is sent`() async throws {
        var configuration = try patient(sharedServer())
        configuration.commandBytesMax = 1000
        try await withClient(configuration) { client in
            let error = await failure { try await client.set("k", to: [UInt8](repeating: 0, count: 1000)) }
            guard case .commandTooLong(_, 1000) = error as? RedisError else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(client.statistics.sent == 0)
        }
    }
}
