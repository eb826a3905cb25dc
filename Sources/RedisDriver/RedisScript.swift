import Synchronization

/// A Lua script that is sent once and then called by its digest.
package final class RedisScript: Sendable {
    package let source: String
    /// As the server gave it.
    private let digest = Mutex<String?>(nil)

    package init(_ source: String) {
        self.source = source
    }

    /// Runs the script, loading it first where the server does not know it (any more).
    package func run(
        on client: RedisClient, keys: [String], arguments: [[UInt8]] = [], budget: Duration? = nil
    ) async throws(RedisError) -> RedisValue {
        if let known = self.digest.withLock({ $0 }) {
            do throws(RedisError) {
                return try await client.send(self.call(known, keys, arguments), budget: budget)
            } catch {
                // Surely not run: the server was restarted or its scripts were flushed.
                guard case .rejected("NOSCRIPT", _) = error else { throw error }
            }
        }
        let reply = try await client.send(RedisCommand("SCRIPT", "LOAD", self.source), budget: budget)
        guard let digest = reply.text else {
            throw .unexpectedReply(command: "SCRIPT LOAD", reply: reply.kind)
        }
        self.digest.withLock { $0 = digest }
        return try await client.send(self.call(digest, keys, arguments), budget: budget)
    }

    private func call(_ digest: String, _ keys: [String], _ arguments: [[UInt8]]) -> RedisCommand {
        var command = RedisCommand("EVALSHA", digest, String(keys.count))
        for key in keys { command.append(key) }
        for argument in arguments { command.append(argument) }
        return command
    }
}
