import Logging
import ReadinessLoop

/// Keeps a link connected until its task is cancelled: resolves, connects, waits after each end, and again.
struct ReconnectingLink {
    let link: RedisLink
    let resolver: HostResolver
    let configuration: RedisConfiguration
    /// What the connection is for, in logs.
    let purpose: String
    let logger: Logger

    private var metadata: Logger.Metadata {
        ["redis.url": "\(self.configuration.url)", "redis.purpose": "\(self.purpose)"]
    }

    func run() async {
        var backoff = self.configuration.backoff
        var rotation = 0
        var wasReported = false
        while !Task.isCancelled {
            let ending = await self.connectOnce(&rotation)
            guard !Task.isCancelled else { break }
            if ending.wasReady { backoff.reset() }
            // One line for an outage, not one for each attempt.
            let level: Logger.Level = ending.wasReady || !wasReported ? .warning : .debug
            wasReported = true
            let wait = backoff.next(chance: Double.random(in: 0...1))
            var metadata = self.metadata
            metadata["error"] = "\(ending.why)"
            metadata["redis.retry_in"] = "\(wait)"
            self.logger.log(level: level, "redis connection ended", metadata: metadata)
            do { try await Task.sleep(for: wait) } catch { break }
        }
        await self.link.cannotServe(.shutDown)
    }

    /// One attempt, at the next of the host's addresses.
    private func connectOnce(_ rotation: inout Int) async -> RedisLink.Ending {
        let deadline = ContinuousClock.now.advanced(by: self.configuration.connectBudget)
        do throws(RedisError) {
            let endpoints = try await self.resolver.endpoints(
                of: self.configuration.url.endpoint, before: deadline)
            guard !endpoints.isEmpty else { throw .unavailable("the host has no address") }
            defer { rotation += 1 }
            return await self.link.serve(endpoints[rotation % endpoints.count], before: deadline) {
                self.logger.info("redis connected", metadata: self.metadata)
            }
        } catch {
            await self.link.cannotServe(error)
            return RedisLink.Ending(why: error, wasReady: false)
        }
    }
}
