import ClusterPorts
import Logging
import ReadinessLoop
import RedisCache
import RedisDriver

/// The Redis that the nodes share, where there is one.
struct SharedCache {
    let client: RedisClient
    let view: RedisViewCache
    let redisBell: RedisDoorbell

    var doorbell: any Doorbell { self.redisBell }

    /// Nil without a `redis.url`.
    init?(_ settings: Settings, facts: ClusterFacts, loop: ReadinessLoop, logger: Logger) throws {
        guard let text = settings.redisURL else { return nil }
        do {
            let client = RedisClient(RedisConfiguration(url: try RedisURL(text)), loop: loop, logger: logger)
            self.client = client
            self.redisBell = RedisDoorbell(client: client, cluster: facts.cluster, logger: logger)
            self.view = RedisViewCache(client: client, cluster: facts.cluster, clusterKey: facts.cacheKey)
        } catch {
            throw SettingsError(faults: ["\(SettingKey.redisURL): \(error)"])
        }
    }
}
