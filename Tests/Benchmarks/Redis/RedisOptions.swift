import ArgumentParser
import Foundation
import Logging
import ReadinessLoop
import RedisDriver

/// Which Redis, which keys, and how long the values are.
struct RedisOptions: ParsableArguments {
    @Option(help: "redis://host:port")
    var redis: String

    @Option(help: "What the keys begin with; a number of twelve digits follows, as with redis-benchmark.")
    var prefix = "key:"

    @Option(help: "How many keys there are.")
    var keys = 10_000

    @Option(help: "Bytes of each value.")
    var size = 64

    func validate() throws {
        guard (1...10_000_000).contains(self.keys), (1...1_000_000).contains(self.size) else {
            throw ValidationError("--keys from 1 to 10000000, --size from 1 to 1000000")
        }
    }

    var names: [String] {
        (0..<self.keys).map { number in
            let digits = String(number)
            return self.prefix + String(repeating: "0", count: 12 - digits.count) + digits
        }
    }

    /// Runs `body` with a client as a room of Flotilla has one, connected, and stops it afterwards.
    func withClient<Answer: Sendable>(
        _ body: (RedisClient, ReadinessLoop) async throws -> Answer
    ) async throws -> Answer {
        let loop = try ReadinessLoop(label: "benchmark")
        defer { loop.shutdown() }
        let client = RedisClient(
            RedisConfiguration(url: try RedisURL(self.redis)), loop: loop, logger: Logger(label: "benchmark"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            let due = ContinuousClock.now.advanced(by: .seconds(5))
            while let refusal = client.refusal {
                guard ContinuousClock.now < due else { throw refusal }
                await Task.yield()
            }
            return try await body(client, loop)
        }
    }
}
