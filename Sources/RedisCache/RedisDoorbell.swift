package import ClusterModel
import ClusterPorts
package import Logging
package import RedisDriver
import ServiceLifecycle

/// The doorbell of a cluster: a message on a channel of Redis, after a commit that made work.
///
/// Whatever Redis does, nothing depends on it: a ring that is lost is made up for by the heartbeats, one that nobody
/// rang costs a look. Rings go out at once, and no more than one in 5 ms from each node; of those that come in between
/// one is enough. Another cluster or program on the same server has other channels.
package final class RedisDoorbell: Doorbell, Service {
    private let client: RedisClient
    private let channel: String
    /// Tells the own messages apart: the node has heard that ring already.
    private let sender: [UInt8]
    private let bell = Bell()
    private let wanted: AsyncStream<Void>
    private let want: AsyncStream<Void>.Continuation
    private let logger: Logger

    package static let pauseMin: Duration = .milliseconds(5)
    /// Before a subscription is asked for again that the client refused.
    private static let refusedPause: Duration = .seconds(1)

    package init(client: RedisClient, cluster: ClusterID, logger: Logger) {
        self.client = client
        self.channel = "flotilla:\(cluster):jobs"
        self.sender = (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        self.logger = logger
        (self.wanted, self.want) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package func ring() {
        self.bell.ring()
        self.want.yield()
    }

    package func rings() -> AsyncStream<Void> { self.bell.listen() }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.publish() }
                group.addTask { await self.hear() }
            }
        }
    }

    private func publish() async {
        for await _ in self.wanted {
            do {
                _ = try await self.client.publish(self.sender, on: self.channel)
            } catch {
                self.logger.trace("a ring was lost", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.pauseMin) } catch { return }
        }
    }

    private func hear() async {
        while !Task.isCancelled {
            do {
                for await event in try self.client.messages(on: [self.channel]) {
                    switch event {
                    case .message(_, self.sender): break
                    case .message, .mayHaveMissed, .subscribed: self.bell.ring()
                    }
                }
            } catch {
                self.logger.debug("no doorbell over Redis", metadata: ["error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.refusedPause) } catch { return }
        }
    }
}
