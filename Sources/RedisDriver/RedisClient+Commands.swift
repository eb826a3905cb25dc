extension RedisClient {
    package func ping(budget: Duration? = nil) async throws(RedisError) {
        let reply = try await self.send(RedisCommand("PING"), budget: budget)
        guard reply == .status("PONG") else { throw .unexpectedReply(command: "PING", reply: reply.kind) }
    }

    /// The value of a key; nil when there is none.
    package func get(_ key: String, budget: Duration? = nil) async throws(RedisError) -> [UInt8]? {
        let reply = try await self.send(RedisCommand("GET", key), budget: budget)
        switch reply {
        case .bulk(let bytes): return bytes
        case .null: return nil
        case .status, .integer, .array, .error: throw .unexpectedReply(command: "GET", reply: reply.kind)
        }
    }

    /// The values of several keys, in their order.
    package func get(_ keys: [String], budget: Duration? = nil) async throws(RedisError) -> [[UInt8]?] {
        guard !keys.isEmpty else { return [] }
        var command = RedisCommand("MGET")
        for key in keys { command.append(key) }
        let reply = try await self.send(command, budget: budget)
        guard case .array(let elements) = reply, elements.count == keys.count else {
            throw .unexpectedReply(command: "MGET", reply: reply.kind)
        }
        return elements.map(\.bytes)
    }

    /// Sets a key.
    ///
    /// - Parameter lifetime: after which the server forgets the key, in whole milliseconds and at least one;
    ///   nil means never.
    package func set(
        _ key: String, to value: [UInt8], lifetime: Duration? = nil, budget: Duration? = nil
    ) async throws(RedisError) {
        var command = RedisCommand("SET", key)
        command.append(value)
        if let lifetime {
            command.append("PX")
            command.append(max(1, lifetime.wholeMilliseconds))
        }
        let reply = try await self.send(command, budget: budget)
        guard reply == .status("OK") else { throw .unexpectedReply(command: "SET", reply: reply.kind) }
    }

    /// Deletes keys; answers how many there were.
    @discardableResult
    package func delete(_ keys: [String], budget: Duration? = nil) async throws(RedisError) -> Int {
        guard !keys.isEmpty else { return 0 }
        var command = RedisCommand("UNLINK")
        for key in keys { command.append(key) }
        return try await self.integer(command, budget: budget)
    }

    /// Publishes a message; answers how many subscribers of this server it reached.
    @discardableResult
    package func publish(
        _ payload: [UInt8], on channel: String, budget: Duration? = nil
    ) async throws(RedisError) -> Int {
        var command = RedisCommand("PUBLISH", channel)
        command.append(payload)
        return try await self.integer(command, budget: budget)
    }

    private func integer(_ command: RedisCommand, budget: Duration?) async throws(RedisError) -> Int {
        let reply = try await self.send(command, budget: budget)
        guard case .integer(let number) = reply else {
            throw .unexpectedReply(command: command.name, reply: reply.kind)
        }
        return Int(number)
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int64 {
        self.components.seconds * 1000 + self.components.attoseconds / 1_000_000_000_000_000
    }
}
