import Foundation
import RedisDriver
import Testing

/// Finding the master through real sentinels, and finding it again.
@Suite(.serialized) struct SentinelTests {
    /// A master with a replica that follows it.
    private struct Pair {
        let master: RedisProcess
        let replica: RedisProcess

        init() async throws {
            let master = try RedisProcess()
            self.master = master
            self.replica = try RedisProcess("--replicaof", "127.0.0.1", "\(master.port)")
            let replica = self.replica
            await eventually("the replica never followed") {
                (try? replica.cli("INFO", "replication").contains("master_link_status:up")) == true
            }
        }
    }

    private func port(of client: RedisClient) async -> String? {
        let info = try? await client.send(RedisCommand("INFO", "server")).text
        return info?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("tcp_port:") }
            .map { String($0.dropFirst(9)) }
    }

    private func refusal(_ configuration: RedisConfiguration, containing words: [String]) async throws {
        try await withClient(configuration, isUpFirst: false) { client in
            await eventually("the refusal is \(String(describing: client.refusal))") {
                let text = client.refusal?.description ?? ""
                return words.allSatisfy(text.contains)
            }
        }
    }

    @Test func `the master is found although some sentinels are dead, hang or do not know it`() async throws {
        let master = try RedisProcess()
        defer { withExtendedLifetime(master) {} }
        let stranger = try RedisProcess()
        defer { withExtendedLifetime(stranger) {} }
        let hanging = try LyingServer(.silence)
        defer { hanging.stop() }
        let sentinel = try SentinelProcess(watching: master)
        defer { withExtendedLifetime(sentinel) {} }
        var configuration = patient(
            sentinelURL([
                .init(host: "127.0.0.1", port: try freePort()), .init(host: "no-such-host.invalid"),
                .init(host: "127.0.0.1", port: hanging.port), stranger.address,
                .init(host: "localhost", port: sentinel.port),
            ]))
        configuration.sentinelBudget = .milliseconds(200)
        try await withClient(configuration) { client in
            #expect(await self.port(of: client) == "\(master.port)")
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            #expect(try await client.publish([1], on: "c") == 1)
        }
    }

    @Test func `a killed master is followed to its successor under load, by calls and subscriptions`()
        async throws
    {
        let pair = try await Pair()
        defer { withExtendedLifetime(pair) {} }
        let sentinels = try (0..<3).map { _ in try SentinelProcess(watching: pair.master, quorum: 2) }
        defer { withExtendedLifetime(sentinels) {} }
        try await self.sentinelsKnowEachOther(sentinels)
        let configuration = patient(sentinelURL(sentinels.map(\.address)))
        try await withClient(configuration) { client in
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            try await withThrowingTaskGroup { group in
                let (stop, stopping) = AsyncStream.makeStream(of: Never.self)
                for number in 0..<16 {
                    group.addTask {
                        // Each call ends with an answer or with absence, never with anything else.
                        while !Task.isCancelled {
                            do throws(RedisError) {
                                try await client.set("k\(number)", to: [1])
                            } catch {
                                #expect(error.isAbsence || error == .cancelled, "\(error)")
                                await Task.yield()
                            }
                        }
                    }
                }
                group.addTask { for await _ in stop {} }
                await eventually("no load") { client.statistics.answered > 1000 }
                pair.master.kill()
                await eventually(within: .seconds(30), "nobody succeeded") { pair.replica.role == "master" }
                let before = client.statistics.answered
                await eventually(within: .seconds(15), "calls never came back") {
                    client.statistics.answered > before + 1000
                }
                stopping.finish()
                group.cancelAll()
                try await group.waitForAll()
            }
            #expect(await self.port(of: client) == "\(pair.replica.port)")
            #expect(await events.next() == .mayHaveMissed)
            #expect(try await client.publish([7], on: "c") == 1)
            #expect(await events.next() == .message(channel: "c", payload: [7]))
        }
    }

    @Test func `a master that becomes a replica is left at the first write that it refuses`() async throws {
        let pair = try await Pair()
        defer { withExtendedLifetime(pair) {} }
        let sentinel = try SentinelProcess(
            watching: pair.master, extra: "sentinel down-after-milliseconds mymaster 60000")
        defer { withExtendedLifetime(sentinel) {} }
        let url = sentinelURL([sentinel.address])
        try await withClient(patient(url)) { client in
            try await client.set("k", to: [1])
            _ = try pair.replica.cli("REPLICAOF", "NO", "ONE")
            _ = try pair.master.cli("REPLICAOF", "127.0.0.1", "\(pair.replica.port)")
            let error = await RedisDriverTests.refusal { try await client.set("k", to: [2]) }
            guard case .rejected("READONLY", _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(error?.isAbsence == true)
            await eventually("it stayed") {
                client.refusal?.description.contains("is a slave, not the master") == true
            }
            // What the sentinel says is stale until it is told.
            let cli = try command(
                "/usr/bin/redis-cli", ["-p", "\(sentinel.port)", "SENTINEL", "REMOVE", "mymaster"])
            #expect(cli.contains("OK"))
            await eventually("the refusal does not name the reason") {
                client.refusal?.description.contains("knows no master 'mymaster'") == true
            }
            _ = try command(
                "/usr/bin/redis-cli",
                [
                    "-p", "\(sentinel.port)", "SENTINEL", "MONITOR", "mymaster", "127.0.0.1",
                    "\(pair.replica.port)", "1",
                ])
            await eventually("it never came back") { client.refusal == nil }
            try await client.set("k", to: [3])
            #expect(await self.port(of: client) == "\(pair.replica.port)")
        }
    }

    @Test func `a stale sentinel that names a replica or a dead master does not keep from the real one`()
        async throws
    {
        let pair = try await Pair()
        defer { withExtendedLifetime(pair) {} }
        let dead = try RedisProcess()
        defer { withExtendedLifetime(dead) {} }
        let namesReplica = try LyingServer(.namesMaster(port: pair.replica.port))
        let namesDead = try LyingServer(.namesMaster(port: dead.port))
        defer {
            namesReplica.stop()
            namesDead.stop()
        }
        dead.kill()
        let sentinel = try SentinelProcess(watching: pair.master)
        defer { withExtendedLifetime(sentinel) {} }
        let url = sentinelURL([namesReplica.address, namesDead.address, sentinel.address])
        try await withClient(patient(url)) { client in
            #expect(await self.port(of: client) == "\(pair.master.port)")
            try await client.set("k", to: [1])
        }
    }

    @Test func `with all sentinels gone a connection stays, and a lost one is refused with each reason`()
        async throws
    {
        let master = try RedisProcess()
        defer { withExtendedLifetime(master) {} }
        let sentinels = try (0..<2).map { _ in try SentinelProcess(watching: master) }
        defer { withExtendedLifetime(sentinels) {} }
        try await withClient(patient(sentinelURL(sentinels.map(\.address)))) { client in
            sentinels[0].pause()
            sentinels[1].kill()
            try await client.ping()
            master.kill()
            await eventually("the refusal is \(String(describing: client.refusal))") {
                let text = client.refusal?.description ?? ""
                return text.contains("no sentinel led to a master") && text.contains("Connection refused")
                    && text.contains("in time")
            }
        }
    }

    @Test func `sentinels have a password of their own`() async throws {
        let master = try RedisProcess("--requirepass", "inner")
        defer { withExtendedLifetime(master) {} }
        let sentinel = try SentinelProcess(
            watching: master, extra: "requirepass outer\nsentinel auth-pass mymaster inner")
        defer { withExtendedLifetime(sentinel) {} }
        var url = sentinelURL([sentinel.address], password: "outer")
        url.password = "inner"
        try await withClient(patient(url)) { try await $0.ping() }
        url.password = "wrong"
        try await self.refusal(patient(url), containing: ["names 127.0.0.1:\(master.port)", "WRONGPASS"])
        try await self.refusal(
            patient(sentinelURL([sentinel.address], password: "wrong")),
            containing: ["127.0.0.1:\(sentinel.port)", "WRONGPASS"])
    }

    @Test(arguments: [
        "*0\r\n", "+OK\r\n", "*2\r\n$0\r\n\r\n$1\r\n1\r\n", "*2\r\n$1\r\na\r\n$1\r\n0\r\n", "!\r\n",
    ])
    func `a sentinel that lies is passed over`(_ lie: String) async throws {
        let master = try RedisProcess()
        defer { withExtendedLifetime(master) {} }
        let liar = try LyingServer(.say(lie))
        defer { liar.stop() }
        let sentinel = try SentinelProcess(watching: master)
        defer { withExtendedLifetime(sentinel) {} }
        try await withClient(patient(sentinelURL([liar.address, sentinel.address]))) { client in
            #expect(await self.port(of: client) == "\(master.port)")
        }
    }

    /// A majority is needed for a failover, so all must know of each other first.
    private func sentinelsKnowEachOther(_ sentinels: [SentinelProcess]) async throws {
        await eventually(within: .seconds(20), "the sentinels never met") {
            sentinels.allSatisfy { sentinel in
                let text = try? command(
                    "/usr/bin/redis-cli", ["-p", "\(sentinel.port)", "SENTINEL", "CKQUORUM", "mymaster"])
                return text?.contains("OK \(sentinels.count) usable") == true
            }
        }
        await eventually(within: .seconds(20), "a sentinel does not know the replica") {
            sentinels.allSatisfy { sentinel in
                let text = try? command(
                    "/usr/bin/redis-cli", ["-p", "\(sentinel.port)", "SENTINEL", "REPLICAS", "mymaster"])
                return text?.contains("slave-priority") == true
            }
        }
    }
}
