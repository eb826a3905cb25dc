import RedisDriver
import Testing

@Suite(.serialized) struct SubscriptionTests {
    private func message(_ channel: String, _ text: String) -> RedisEvent {
        .message(channel: channel, payload: Array(text.utf8))
    }

    @Test func `messages of the channels arrive in order and no others`() async throws {
        let prefix = uniquePrefix()
        try await withClient(patient(sharedServer())) { client in
            var events = try client.messages(on: [prefix + "a", prefix + "b", prefix + "a"])
                .makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            #expect(try await client.publish(Array("one".utf8), on: prefix + "a") == 1)
            #expect(try await client.publish(Array("none".utf8), on: prefix + "c") == 0)
            try await client.publish([], on: prefix + "b")
            #expect(await events.next() == self.message(prefix + "a", "one"))
            #expect(await events.next() == self.message(prefix + "b", ""))
        }
    }

    @Test func `after a restart of the server the channels are subscribed again`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(server.url)) { client in
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            for round in 0..<3 {
                server.kill()
                try server.start()
                #expect(await events.next() == .mayHaveMissed)
                await eventually("calls never came back") { client.refusal == nil }
                #expect(try await client.publish(Array("\(round)".utf8), on: "c") == 1)
                #expect(await events.next() == self.message("c", "\(round)"))
            }
        }
    }

    @Test func `a subscriber notices a server that hangs and comes back`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.heartbeatInterval = .milliseconds(20)
        try await withClient(configuration) { client in
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            _ = try await client.send(RedisCommand("CLIENT", "PAUSE", "300"))
            #expect(await events.next() == .mayHaveMissed)
            try await eventually("nobody listens") { try await client.publish([1], on: "c") == 1 }
        }
    }

    @Test func `a quiet connection is kept`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.heartbeatInterval = .milliseconds(50)
        try await withClient(configuration) { client in
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            try await eventually("no sign of life was asked for") {
                let info = try await client.send(RedisCommand("INFO", "commandstats")).text ?? ""
                let pings = info.split(whereSeparator: \.isNewline).first {
                    $0.hasPrefix("cmdstat_ping:calls=")
                }
                return (pings?.dropFirst(19).prefix { $0.isNumber }).flatMap { Int($0) } ?? 0 >= 8
            }
            try await client.publish([1], on: "c")
            #expect(await events.next() == .message(channel: "c", payload: [1]))
        }
    }

    @Test func `a reader that does not read loses the oldest, is told so, and they are counted`() async throws
    {
        var configuration = try patient(sharedServer())
        configuration.messagesMax = 4
        let channel = uniquePrefix()
        try await withClient(configuration) { client in
            var events = try client.messages(on: [channel]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            for number in 0..<10 { try await client.publish([UInt8(number)], on: channel) }
            // The warning takes a place too: it stands before the message that came after the loss.
            await eventually("nothing was dropped") { client.statistics.messagesDropped >= 6 }
            var warnings = 0
            var kept: [RedisEvent] = []
            while kept.last != .message(channel: channel, payload: [9]), let event = await events.next() {
                if event == .mayHaveMissed { warnings += 1 } else { kept.append(event) }
            }
            #expect(warnings >= 1)
            #expect(UInt64(kept.count) + client.statistics.messagesDropped == 10)
            try await client.publish([10], on: channel)
            #expect(await events.next() == .message(channel: channel, payload: [10]))
        }
    }

    @Test func `a reader that leaves takes its connection along and frees its place`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        var configuration = patient(server.url)
        configuration.subscriptionsMax = 1
        try await withClient(configuration) { client in
            do {
                let kept = try client.messages(on: ["c"])
                var events = kept.makeAsyncIterator()
                #expect(await events.next() == .subscribed)
                #expect(throws: RedisError.overloaded(limit: 1)) { _ = try client.messages(on: ["d"]) }
            }
            try await eventually("the connection stayed") { try await client.publish([1], on: "c") == 0 }
            await eventually("the place was not freed") { (try? client.messages(on: ["d"])) != nil }
        }
    }

    @Test func `the end of the client ends the messages`() async throws {
        let url = try sharedServer()
        let loop = patient(url)
        try await withThrowingTaskGroup { group in
            try await withClient(loop) { client in
                let events = try client.messages(on: [uniquePrefix()])
                let (ready, tell) = AsyncStream.makeStream(of: Void.self)
                group.addTask {
                    for await event in events where event == .subscribed { tell.finish() }
                }
                for await _ in ready {}
            }
            try await group.waitForAll()
        }
    }

    @Test(arguments: [
        "*1\r\n$9\r\nsubscribe\r\n", "+OK\r\n", "*2\r\n:1\r\n:2\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n",
        "*0\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\ny\r\n",
    ])
    func `a lying server ends a subscription's connection and nothing else`(_ lie: String) async throws {
        let server = try LyingServer(.say(lie), .say("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"))
        defer { server.stop() }
        var configuration = patient(server.url)
        configuration.heartbeatInterval = .seconds(60)
        try await withClient(configuration, isUpFirst: false) { client in
            // The client's own connection only greets, so the first lie that is told is told to the
            // subscriber.
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            await eventually("there is no second connection") { server.connections >= 2 }
            _ = try? await client.ping()
            #expect(await events.next() == .subscribed)
        }
    }
}
