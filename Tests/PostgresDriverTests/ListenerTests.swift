import PostgresDriver
import ReadinessLoop
import Testing

struct ListenerBufferTests {
    private func note(_ payload: Int) -> PostgresNotification {
        PostgresNotification(channel: "c", payload: "\(payload)", backendID: 1)
    }

    @Test func `the oldest leave, and the subscriber is told how many`() {
        var buffer = ListenerBuffer(limit: 2)
        for number in 1...5 { buffer.append(self.note(number)) }
        #expect(buffer.next() == .missed(.tooSlow(3)))
        #expect(buffer.next() == .notification(self.note(4)))
        #expect(buffer.next() == .notification(self.note(5)))
        #expect(buffer.next() == nil)
        #expect(buffer.isEmpty)
    }

    @Test func `a new connection comes before everything and makes good for what was lost`() {
        var buffer = ListenerBuffer(limit: 1)
        buffer.append(self.note(1))
        buffer.append(self.note(2))
        buffer.beganToListen()
        #expect(buffer.next() == .missed(.notListening))
        #expect(buffer.next() == .notification(self.note(2)))
        #expect(buffer.next() == nil)
    }
}

struct ListenerTests {
    /// Runs a listener around `body`, which also gets the way to find and end its session.
    private func withListener(
        _ channels: [String], bufferLimit: Int = 1000,
        _ body: (PostgresListenerEvents, Outside, () throws -> Int32?) async throws -> Void
    ) async throws {
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        let name = TestServer.uniqueName("listener")
        var server = try TestServer.configuration()
        server.parameters["application_name"] = name
        let listener = try PostgresListener(
            PostgresListener.Configuration(server: server, channels: channels, bufferLimit: bufferLimit),
            loop: loop, logger: TestServer.logger)
        let outside = try Outside()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await listener.run() }
            defer { group.cancelAll() }
            try await body(listener.events, outside) {
                try outside.query("select pid from pg_stat_activity where application_name = \(name)").first
                    .map { try $0[0, as: Int32.self] }
            }
            group.cancelAll()
            try await group.waitForAll()
            // Ends, because the listener has.
            for await _ in listener.events {}
            try await eventually("its session is gone") {
                try outside.query("select from pg_stat_activity where application_name = \(name)").isEmpty
            }
        }
    }

    @Test func `every notification comes, on channels with odd names`() async throws {
        let odd = "Weird \"chan\".nel; drop"
        let plain = TestServer.uniqueName("plain")
        try await self.withListener([odd, plain]) { events, outside, _ in
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .missed(.notListening))
            for number in 0..<100 {
                try outside.query("select pg_notify(\(number % 2 == 0 ? odd : plain), \("p\(number)"))")
            }
            for number in 0..<100 {
                guard case .notification(let heard) = await iterator.next() else {
                    Issue.record("no notification")
                    return
                }
                #expect(heard.channel == (number % 2 == 0 ? odd : plain))
                #expect(heard.payload == "p\(number)")
            }
        }
    }

    @Test func `after a lost connection it listens again and says that it was away`() async throws {
        let channel = TestServer.uniqueName("again")
        try await self.withListener([channel]) { events, outside, session in
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .missed(.notListening))
            for round in 0..<3 {
                let backend = try #require(try session())
                try outside.terminate(backend)
                #expect(await iterator.next() == .missed(.notListening))
                try outside.query("select pg_notify(\(channel), \("\(round)"))")
                guard case .notification(let heard) = await iterator.next() else {
                    Issue.record("no notification")
                    return
                }
                #expect(heard.payload == "\(round)")
            }
        }
    }

    @Test func `a subscriber who is too slow loses the oldest and is told so`() async throws {
        let channel = TestServer.uniqueName("slow")
        try await self.withListener([channel], bufferLimit: 10) { events, outside, _ in
            var iterator = events.makeAsyncIterator()
            #expect(await iterator.next() == .missed(.notListening))
            try outside.query("select pg_notify(\(channel), 'p' || n) from generate_series(1, 1000) n")
            var last = ""
            var missed = 0
            var heard = 0
            while last != "p1000" {
                switch await iterator.next() {
                case .notification(let notification):
                    last = notification.payload
                    heard += 1
                case .missed(.tooSlow(let count)): missed += count
                case .missed(.notListening), nil:
                    Issue.record("unexpected")
                    return
                }
            }
            #expect(missed + heard == 1000)
        }
    }

    @Test func `a cancelled subscriber stops waiting, and names that cannot be are refused`() async throws {
        try await self.withListener([TestServer.uniqueName("quiet")]) { events, _, _ in
            let ended = await withTaskGroup(of: Bool.self) { group in
                group.addTask {
                    for await _ in events {}
                    return true
                }
                group.cancelAll()
                return await group.next() ?? false
            }
            #expect(ended)
            _ = try Outside()
        }
        let loop = try ReadinessLoop(label: "test")
        defer { loop.shutdown() }
        for names in [[], [""], [String(repeating: "x", count: 64)], ["a\0b"]] {
            #expect(throws: PostgresError.self) {
                _ = try PostgresListener(
                    PostgresListener.Configuration(server: TestServer.configuration(), channels: names),
                    loop: loop, logger: TestServer.logger)
            }
        }
    }
}
