import RedisDriver

/// What many tasks ask of Redis, and how they give up.
enum CallExercises {
    static let all = [
        Exercise("calls", Self.calls), Exercise("scripts", Self.scripts),
        Exercise("Redis refusals", Self.refusals), Exercise("Redis calls cancelled", Self.cancellations),
        Exercise("Redis budgets", Self.budgets), Exercise("subscriptions", Self.subscriptions),
    ]

    private static func calls(_ around: Surroundings) async throws {
        let client = around.client
        await withTaskGroup { group in
            for number in 0..<64 {
                group.addTask {
                    await around.tally.count(.repliesRead) {
                        let key = "leak-check:\(number)"
                        try await client.set(
                            key, to: [UInt8](repeating: 7, count: number * 10), lifetime: .seconds(60))
                        _ = try await client.get(key)
                        _ = try await client.get([key, "leak-check:none", key])
                        try await client.delete([key])
                    }
                }
            }
        }
    }

    private static func scripts(_ around: Surroundings) async throws {
        let script = RedisScript("return {ARGV[1], {KEYS[1], 1, false}}")
        await around.tally.count(.repliesRead) {
            _ = try await script.run(on: around.client, keys: ["a"], arguments: [[1, 2, 3]])
        }
        await around.tally.count(.repliesRead) {
            _ = try await around.client.send(RedisCommand("SCRIPT", "FLUSH"))
            _ = try await script.run(on: around.client, keys: ["a"], arguments: [[1]])
        }
    }

    private static func refusals(_ around: Surroundings) async throws {
        let client = around.client
        await around.tally.count(.repliesRead) { try await client.set("leak-check:text", to: [65]) }
        for _ in 0..<8 {
            await around.tally.count {
                _ = try await client.send(RedisCommand("LPUSH", "leak-check:text", "x"))
            }
            await around.tally.count { _ = try await client.send(RedisCommand("NOSUCHCOMMAND")) }
        }
    }

    private static func cancellations(_ around: Surroundings) async throws {
        for pause in [0, 1, 10] {
            await withTaskGroup { group in
                for number in 0..<32 {
                    group.addTask {
                        await around.tally.count(.repliesRead) {
                            _ = try await around.client.get("leak-check:\(number)")
                        }
                    }
                }
                for _ in 0..<pause { await Task.yield() }
                group.cancelAll()
            }
        }
    }

    private static func budgets(_ around: Surroundings) async throws {
        await withTaskGroup { group in
            for number in 0..<32 {
                group.addTask {
                    await around.tally.count(.repliesRead) {
                        _ = try await around.client.get("leak-check:\(number)", budget: .microseconds(number))
                    }
                }
            }
        }
        try await around.clientIsBack()
    }

    /// Read in part and left; left at once; and many channels in one.
    private static func subscriptions(_ around: Surroundings) async throws {
        let client = around.client
        for channels in [["leak-check"], (0..<20).map { "leak-check:\($0)" }] {
            var count = 0
            for await event in try await Self.opened(channels, client) {
                if case .message = event { around.tally.note(.messages) }
                count += 1
                if count == 4 { break }
                for channel in channels {
                    await around.tally.count(.repliesRead) {
                        try await client.publish([1, 2, 3], on: channel)
                    }
                }
            }
        }
        for _ in 0..<4 { _ = try await Self.opened(["leak-check:nobody"], client) }
    }

    /// Those that were left end a little later, and there is a limit.
    private static func opened(
        _ channels: [String], _ client: RedisClient
    ) async throws -> AsyncStream<RedisEvent> {
        var events: AsyncStream<RedisEvent>?
        try await eventually("a subscription is admitted") {
            do throws(RedisError) {
                events = try client.messages(on: channels)
            } catch {
                guard case .overloaded = error else { throw error }
            }
            return events != nil
        }
        guard let events else { throw LeakCheckFailure("no subscription") }
        return events
    }
}
