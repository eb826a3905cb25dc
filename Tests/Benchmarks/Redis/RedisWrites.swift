import ArgumentParser
import RedisDriver

/// SETs of keys, new ones and old ones.
struct RedisWrites: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redis-set", abstract: "SETs of random keys.")

    @OptionGroup var load: LoadOptions
    @OptionGroup var redis: RedisOptions

    func run() async throws {
        let names = self.redis.names
        let value = [UInt8](repeating: UInt8(ascii: "x"), count: self.redis.size)
        let measurement = try await self.redis.withClient { client, loop in
            try await ClosedLoop(self.load, on: loop).measure { random in
                let name = names[Int.random(in: 0..<names.count, using: &random)]
                do throws(RedisError) {
                    try await client.set(name, to: value)
                    return true
                } catch {
                    guard error.isAbsence else { throw error }
                    return false
                }
            }
        }
        try LoadReport("redis-set", unit: "calls", tasks: self.load.tasks, measurement).printLine()
    }
}
