import ArgumentParser
import RedisDriver

/// GETs of keys that are there.
struct RedisReads: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redis-get", abstract: "GETs of random keys.")

    @OptionGroup var load: LoadOptions
    @OptionGroup var redis: RedisOptions

    func run() async throws {
        let names = self.redis.names
        let size = self.redis.size
        let measurement = try await self.redis.withClient { client, loop in
            try await ClosedLoop(self.load, on: loop).measure { random in
                let name = names[Int.random(in: 0..<names.count, using: &random)]
                do throws(RedisError) {
                    guard try await client.get(name)?.count == size else {
                        throw .unexpectedReply(command: "GET", reply: "no value of \(size) bytes")
                    }
                    return true
                } catch {
                    guard error.isAbsence else { throw error }
                    return false
                }
            }
        }
        try LoadReport("redis-get", unit: "calls", tasks: self.load.tasks, measurement).printLine()
    }
}
