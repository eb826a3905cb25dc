import Logging
import ReadinessLoop

/// Keeps a link connected until its task is cancelled: finds the server, connects, waits after each end, and
/// again.
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
        var search = Search(self.configuration.url.endpoint)
        var wasReported = false
        while !Task.isCancelled {
            let ending = await self.connectOnce(&search)
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

    /// Where to look, over all attempts.
    private enum Search {
        case path(String)
        /// `rotation` counts attempts, so that each takes the next of the host's addresses.
        case host(String, port: Int, rotation: Int)
        case master(RedisSentinels, MasterSearch)

        init(_ endpoint: RedisURL.Endpoint) {
            switch endpoint {
            case .unix(let path): self = .path(path)
            case .tcp(let host, let port): self = .host(host, port: port, rotation: 0)
            case .master(let sentinels): self = .master(sentinels, MasterSearch(sentinels))
            }
        }
    }

    private func connectOnce(_ search: inout Search) async -> RedisLink.Ending {
        let ending: RedisLink.Ending
        switch search {
        case .path(let path):
            let address = ServerAddress(place: .unix(path: path), name: path)
            ending = await self.serve(within: self.configuration.connectBudget) { _ in address }
        case .host(let host, let port, let rotation):
            search = .host(host, port: port, rotation: rotation + 1)
            ending = await self.serve(host, port: port, rotation: rotation)
        case .master(let sentinels, var round):
            ending = await self.serveMaster(of: sentinels, &round)
            search = .master(sentinels, round)
        }
        return ending
    }

    private func serve(_ host: String, port: Int, rotation: Int) async -> RedisLink.Ending {
        await self.serve(within: self.configuration.connectBudget) { deadline throws(RedisError) in
            let addresses = try await self.resolver.addresses(of: host, port: port, before: deadline)
            return addresses[rotation % addresses.count]
        }
    }

    /// One attempt at one server.
    private func serve(
        within budget: Duration,
        at address: (ContinuousClock.Instant) async throws(RedisError) -> ServerAddress
    ) async -> RedisLink.Ending {
        let deadline = ContinuousClock.now.advanced(by: budget)
        do throws(RedisError) {
            let plan = RedisLink.Plan(
                address: try await address(deadline),
                greeting: Greeting(url: self.configuration.url, name: self.configuration.name),
                tls: try self.tls(), deadline: deadline)
            return await self.link.serve(plan) {
                var metadata = self.metadata
                metadata["redis.address"] = "\(plan.address)"
                self.logger.info("redis connected", metadata: metadata)
            }
        } catch {
            await self.link.cannotServe(error)
            return RedisLink.Ending(why: error, wasReady: false)
        }
    }

    private func tls() throws(RedisError) -> TLSContext? {
        guard let tls = self.configuration.url.tls else { return nil }
        return try TLSContext(tls)
    }
}

// MARK: Sentinels

extension ReconnectingLink {
    /// One round through the sentinels, until a master that one of them named has served and gone.
    private func serveMaster(
        of sentinels: RedisSentinels, _ search: inout MasterSearch
    ) async -> RedisLink.Ending {
        while true {
            let sentinel: RedisSentinels.Address
            switch search.next() {
            case .ask(let next): sentinel = next
            case .giveUp(let why):
                await self.link.cannotServe(why)
                return RedisLink.Ending(why: why, wasReady: false)
            }
            guard !Task.isCancelled else { return RedisLink.Ending(why: .shutDown, wasReady: false) }
            let master: RedisSentinels.Address
            do throws(RedisError) {
                master = try await self.ask(sentinel, sentinels, rotation: search.rotation)
            } catch {
                search.sentinelFailed(error)
                continue
            }
            guard search.named(master) else { continue }
            let ending = await self.serve(
                master.host, port: master.port, rotation: search.rotation)
            if ending.wasReady {
                search.masterServed()
                return ending
            }
            search.masterFailed(master, ending.why)
        }
    }

    private func ask(
        _ sentinel: RedisSentinels.Address, _ sentinels: RedisSentinels, rotation: Int
    ) async throws(RedisError) -> RedisSentinels.Address {
        let deadline = ContinuousClock.now.advanced(by: self.configuration.sentinelBudget)
        let addresses = try await self.resolver.addresses(
            of: sentinel.host, port: sentinel.port, before: deadline)
        let answer = SentinelQuestion.Answer()
        let link = RedisLink(
            loop: self.link.loop, configuration: self.configuration,
            conversation: SentinelQuestion(master: sentinels.master, deadline: deadline, answer: answer))
        let ending = await link.serve(
            RedisLink.Plan(
                address: addresses[rotation % addresses.count],
                greeting: Greeting(sentinels: sentinels, name: self.configuration.name),
                tls: try self.tls(), deadline: deadline))
        guard let reply = answer.value else { throw ending.why }
        return try SentinelQuestion.address(in: reply, master: sentinels.master)
    }
}
