extension RedisClient {
    /// How far a flush came.
    package struct Flushed: Sendable, Equatable {
        package var deleted: Int
        /// False when the limit of rounds came before the end of the keys.
        package var isComplete: Bool

        package init(deleted: Int, isComplete: Bool) {
            self.deleted = deleted
            self.isComplete = isComplete
        }
    }

    /// Deletes every key that begins so, in small steps that do not hold up the server.
    ///
    /// Keys that are set while it runs may stay.
    ///
    /// - Parameter prefix: not empty: other programs may keep keys on the same server.
    /// - Parameter roundsMax: how many steps at most; each looks at about a thousand of the database's keys.
    /// - Parameter budget: for each step.
    package func flush(
        prefix: String, roundsMax: Int = 10_000, budget: Duration = .seconds(1)
    ) async throws(RedisError) -> Flushed {
        precondition(!prefix.isEmpty, "a flush needs a prefix")
        var flushed = Flushed(deleted: 0, isComplete: false)
        var cursor = "0"
        for _ in 0..<roundsMax {
            let reply = try await self.send(
                RedisCommand("SCAN", cursor, "MATCH", Self.globbed(prefix) + "*", "COUNT", "1000"),
                budget: budget)
            guard case .array(let parts) = reply, parts.count == 2, let next = parts[0].text,
                case .array(let found) = parts[1]
            else { throw .unexpectedReply(command: "SCAN", reply: reply.kind) }
            // Checked here too: a pattern that was misread must not delete what is not ours.
            let keys = found.compactMap(\.text).filter { $0.utf8.starts(with: prefix.utf8) }
            flushed.deleted += try await self.delete(keys, budget: budget)
            cursor = next
            if cursor == "0" {
                flushed.isComplete = true
                break
            }
        }
        return flushed
    }

    /// The text as a pattern that matches only itself.
    package static func globbed(_ text: String) -> String {
        var pattern = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if "*?[]^\\-".unicodeScalars.contains(scalar) { pattern.append("\\") }
            pattern.append(scalar)
        }
        return String(pattern)
    }
}
