import ReadinessLoop
import RedisDriver

/// What happens to a Redis client: cut off, kept waiting, turned away, stopped.
enum RedisFaultExercises {
    static let all = [
        Exercise("Redis connections cut", Self.cut), Exercise("the circuit breaker", Self.breaker),
        Exercise("no Redis", Self.absent), Exercise("a client stopped under its callers", Self.stopped),
    ]

    private static func cut(_ around: Surroundings) async throws {
        await withTaskGroup { group in
            for number in 0..<32 {
                group.addTask {
                    await around.tally.count(.repliesRead) {
                        _ = try await around.client.get("leak-check:\(number)")
                    }
                }
            }
            group.addTask {
                await around.tally.count(.repliesRead) {
                    _ = try await around.client.send(
                        RedisCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"))
                }
            }
            for number in 0..<32 {
                group.addTask {
                    await around.tally.count(.repliesRead) {
                        _ = try await around.client.get("leak-check:\(number)")
                    }
                }
            }
        }
        try await around.clientIsBack()
    }

    private static func breaker(_ around: Surroundings) async throws {
        await around.tally.count(.repliesRead) {
            _ = try await around.client.send(RedisCommand("CLIENT", "PAUSE", "30", "ALL"))
        }
        for _ in 0..<12 {
            await around.tally.count(.repliesRead) {
                _ = try await around.client.get("leak-check:1", budget: .milliseconds(1))
            }
        }
        try await around.clientIsBack()
    }

    private static func absent(_ around: Surroundings) async throws {
        var configuration = around.redis
        configuration.url = try RedisURL("redis://127.0.0.1:1")
        try await Self.withClient(around, configuration) { client in
            for _ in 0..<16 {
                await around.tally.count(.repliesRead) { _ = try await client.get("leak-check:1") }
                await Task.yield()
            }
        }
    }

    /// The callers wait on a list that stays empty.
    private static func stopped(_ around: Surroundings) async throws {
        try await Self.withClient(around, around.redis, endsDuringCalls: true) { client in
            try await eventually("the client is connected") { client.refusal == nil }
            await withTaskGroup { group in
                for _ in 0..<16 {
                    group.addTask {
                        await around.tally.count(.repliesRead) {
                            _ = try await client.send(RedisCommand("BLPOP", "leak-check:empty", "1"))
                        }
                    }
                }
            }
        }
    }

    /// A client on a loop of its own, asked once more after its end.
    ///
    /// It is stopped after `body`, or while its calls are under way.
    private static func withClient(
        _ around: Surroundings, _ configuration: RedisConfiguration,
        endsDuringCalls: Bool = false,
        _ body: @escaping @Sendable (RedisClient) async throws -> Void
    ) async throws {
        let loop = try ReadinessLoop(label: "leak-check-redis")
        defer { loop.shutdown() }
        let client = RedisClient(configuration, loop: loop, logger: Surroundings.logger)
        try await withThrowingTaskGroup { callers in
            callers.addTask { try await body(client) }
            try await withThrowingTaskGroup { group in
                group.addTask { try await client.run() }
                if endsDuringCalls {
                    try await eventually("calls are under way") { client.statistics.inFlight > 0 }
                } else {
                    try await callers.waitForAll()
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await callers.waitForAll()
        }
        await around.tally.count(.repliesRead) { _ = try await client.get("leak-check:1") }
    }
}
