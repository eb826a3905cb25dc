import ClusterModel
import ClusterPorts
import Foundation
import Logging
import ReadinessLoop
import RedisCache
import RedisDriver
import Testing

struct MissingServer: Error, CustomStringConvertible {
    let description =
        "FLOTILLA_TEST_REDIS is not set; run `make test`, which starts the servers that tests need"
}

@Suite struct RedisViewCacheTests {
    private let alice = CacheName(kind: "account", subject: "alice")
    private let bob = CacheName(kind: "account", subject: "bob")

    private func entry(_ text: String, _ version: Int64) -> CachedBytes {
        CachedBytes(bytes: Array(text.utf8), version: ConfigVersion(version))
    }

    private func sharedServer() throws -> RedisURL {
        guard let text = ProcessInfo.processInfo.environment["FLOTILLA_TEST_REDIS"] else {
            throw MissingServer()
        }
        return try RedisURL(text)
    }

    private func withCache(
        _ url: RedisURL, isUpFirst: Bool = true, _ body: (RedisViewCache, RedisClient) async throws -> Void
    ) async throws {
        let loop = try ReadinessLoop(label: "redis-cache-tests")
        defer { loop.shutdown() }
        var logger = Logger(label: "redis-cache-tests")
        logger.logLevel = .critical
        var configuration = RedisConfiguration(url: url)
        configuration.callBudget = .seconds(5)
        let client = RedisClient(configuration, loop: loop, logger: logger)
        let cache = RedisViewCache(
            client: client, cluster: ClusterID(UUID()), clusterKey: Array(repeating: 9, count: 32))
        try await withThrowingTaskGroup { group in
            group.addTask { try await client.run() }
            let deadline = ContinuousClock.now.advanced(by: .seconds(10))
            while isUpFirst, client.refusal != nil {
                guard ContinuousClock.now < deadline else { throw try #require(client.refusal) }
                await Task.yield()
            }
            try await body(cache, client)
            _ = try? await cache.flush()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test func `an entry is found until it is forgotten`() async throws {
        try await self.withCache(self.sharedServer()) { cache, _ in
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
            await cache.keep(self.alice, self.entry("a", 5), for: .seconds(60))
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == self.entry("a", 5))
            #expect(await cache.entry(self.bob, notBefore: ConfigVersion(0)) == nil)
            await cache.forget(self.alice)
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
            #expect(cache.statistics() == CacheStatistics(hits: 1, misses: 3, forged: 0, available: true))
        }
    }

    @Test func `an entry older than what is asked for is a miss`() async throws {
        try await self.withCache(self.sharedServer()) { cache, _ in
            await cache.keep(self.alice, self.entry("a", 5), for: .seconds(60))
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(6)) == nil)
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(5)) == self.entry("a", 5))
            #expect(cache.statistics() == CacheStatistics(hits: 1, misses: 1, forged: 0, available: true))
        }
    }

    @Test func `an entry copied under another name is a forgery`() async throws {
        try await self.withCache(self.sharedServer()) { cache, client in
            await cache.keep(self.alice, self.entry("admin", 5), for: .seconds(60))
            let sealed = try #require(try await client.get(cache.key(of: self.alice)))
            try await client.set(cache.key(of: self.bob), to: sealed)
            #expect(await cache.entry(self.bob, notBefore: ConfigVersion(0)) == nil)
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == self.entry("admin", 5))
            #expect(cache.statistics().forged == 1)
        }
    }

    @Test func `an entry that was given a newer version or other bytes is a forgery`() async throws {
        try await self.withCache(self.sharedServer()) { cache, client in
            await cache.keep(self.alice, self.entry("a", 5), for: .seconds(60))
            let sealed = try #require(try await client.get(cache.key(of: self.alice)))
            for index in [0, 8, 20, sealed.count - 1] {
                var changed = sealed
                changed[index] ^= 2
                try await client.set(cache.key(of: self.alice), to: changed)
                #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
            }
            for nonsense in [[], [1], [UInt8](repeating: 1, count: 41), [UInt8](repeating: 0, count: 5000)] {
                try await client.set(cache.key(of: self.alice), to: nonsense)
                #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
            }
            #expect(cache.statistics().forged == 8)
            #expect(cache.statistics().hits == 0)
        }
    }

    @Test func `a key of another type is a miss`() async throws {
        try await self.withCache(self.sharedServer()) { cache, client in
            _ = try await client.send(RedisCommand("RPUSH", cache.key(of: self.alice), "x"))
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
            #expect(cache.statistics().misses == 1)
        }
    }

    @Test func `a lifetime ends, and none is kept for no time`() async throws {
        try await self.withCache(self.sharedServer()) { cache, client in
            await cache.keep(self.alice, self.entry("a", 5), for: .seconds(60))
            let left = try await client.send(RedisCommand("PTTL", cache.key(of: self.alice)))
            guard case .integer(let milliseconds) = left else {
                Issue.record("\(left)")
                return
            }
            #expect((1...60_000).contains(milliseconds))
            await cache.keep(self.bob, self.entry("b", 5), for: .zero)
            #expect(await cache.entry(self.bob, notBefore: ConfigVersion(0)) == nil)
        }
    }

    @Test func `a flush forgets one kind or all of this cluster and nothing of others`() async throws {
        try await self.withCache(self.sharedServer()) { cache, _ in
            let token = CacheName(kind: "token", subject: "t")
            try await self.withCache(self.sharedServer()) { other, _ in
                await other.keep(self.alice, self.entry("other", 1), for: .seconds(60))
                for name in [self.alice, self.bob, token] {
                    await cache.keep(name, self.entry("x", 1), for: .seconds(60))
                }
                let flushed = try await cache.flush(kind: "account")
                #expect(flushed == .init(deleted: 2, isComplete: true))
                #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
                #expect(await cache.entry(token, notBefore: ConfigVersion(0)) != nil)
                let rest = try await cache.flush()
                #expect(rest.deleted == 1)
                #expect(await other.entry(self.alice, notBefore: ConfigVersion(0)) != nil)
            }
        }
    }

    @Test func `an entry that is too large is not kept`() async throws {
        try await self.withCache(self.sharedServer()) { cache, _ in
            let large = CachedBytes(
                bytes: Array(repeating: 1, count: RedisViewCache.entryBytesMax + 1), version: ConfigVersion(1)
            )
            await cache.keep(self.alice, large, for: .seconds(60))
            #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
        }
    }

    @Test func `without Redis everything is a miss at once`() async throws {
        // Nobody listens on the port of this address.
        let nowhere = RedisURL(endpoint: .unix(path: "/nonexistent/redis.sock"))
        try await self.withCache(nowhere, isUpFirst: false) { cache, _ in
            let started = ContinuousClock.now
            for _ in 0..<1000 {
                await cache.keep(self.alice, self.entry("a", 1), for: .seconds(60))
                #expect(await cache.entry(self.alice, notBefore: ConfigVersion(0)) == nil)
                await cache.forget(self.alice)
            }
            #expect(started.duration(to: .now) < .seconds(2))
            #expect(cache.statistics() == CacheStatistics(hits: 0, misses: 1000, forged: 0, available: false))
            await #expect(throws: RedisError.self) { try await cache.flush() }
        }
    }
}
