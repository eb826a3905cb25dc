package import Logging
package import ReadinessLoop
import ServiceLifecycle
import Synchronization

/// Listens to channels on a connection of its own, for as long as `run` runs.
///
/// Notifications are hints: those that come while the connection is away are lost, and the server keeps none.
/// So each time it has begun to listen, the first time included, the subscriber gets `missed(.notListening)`
/// and reads anew what the notifications are about. The same goes for `missed(.tooSlow)`, which takes the
/// place of the oldest notifications of a subscriber who does not keep up.
package final class PostgresListener: Service {
    package struct Configuration: Sendable {
        package var server: PostgresConfiguration
        /// Names as they are; the driver quotes them.
        package var channels: [String]
        /// Notifications that wait for the subscriber; the oldest leave when there are more.
        package var bufferLimit: Int
        /// For each statement to the server.
        package var deadline: Duration
        /// An idle connection is tried so often: a half-open one would be silent for ever.
        package var healthCheckInterval: Duration
        /// Between attempts to connect.
        package var backOff: BackOff

        package init(
            server: PostgresConfiguration, channels: [String], bufferLimit: Int = 1000,
            deadline: Duration = .seconds(5), healthCheckInterval: Duration = .seconds(10),
            backOff: BackOff = BackOff()
        ) {
            self.server = server
            self.channels = channels
            self.bufferLimit = bufferLimit
            self.deadline = deadline
            self.healthCheckInterval = healthCheckInterval
            self.backOff = backOff
        }
    }

    /// For one subscriber; ends when `run` ends.
    package let events: PostgresListenerEvents
    private let configuration: Configuration
    private let channels: [PostgresIdentifier]
    private let loop: ReadinessLoop
    private let logger: Logger

    /// Checks the configuration and connects to nothing yet.
    ///
    /// - Throws: `didNotRun(.invalid)` for a connection string or a channel that cannot be.
    package init(
        _ configuration: Configuration, loop: ReadinessLoop, logger: Logger
    ) throws(PostgresError) {
        try configuration.server.check()
        guard !configuration.channels.isEmpty else { throw .didNotRun(.invalid("no channels to listen to")) }
        var channels: [PostgresIdentifier] = []
        for name in configuration.channels { channels.append(try PostgresIdentifier(name)) }
        self.channels = channels
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        self.events = PostgresListenerEvents(limit: configuration.bufferLimit)
    }

    /// Listens until the task is cancelled or its service group shuts down; call it once.
    package func run() async {
        await cancelWhenGracefulShutdown { await self.keepListening() }
        self.events.finish()
    }

    private func keepListening() async {
        var failures = 0
        while !Task.isCancelled {
            do throws(PostgresError) {
                let connection = try await self.connect()
                failures = 0
                await self.watch(connection)
                await connection.close()
            } catch {
                failures += 1
                self.logger.warning("postgres listener failed", metadata: ["error": "\(error)"])
            }
            guard !Task.isCancelled else { return }
            let pause = self.configuration.backOff.delay(
                failures: max(failures, 1), jitter: Double.random(in: 0...1))
            // Throws when the task is cancelled, and then the loop ends.
            try? await Task.sleep(for: pause)
        }
    }

    private func connect() async throws(PostgresError) -> PostgresConnection {
        let connection = try await PostgresConnection.connect(
            self.configuration.server, deadline: self.configuration.deadline, within: nil, loop: self.loop,
            logger: self.logger, onNotification: { [events] in events.append($0) })
        do throws(PostgresError) {
            for channel in self.channels {
                _ = try await connection.query(
                    PostgresStatement(unescaped: "listen \(channel.quoted)").unprepared())
            }
        } catch {
            await connection.close()
            throw error
        }
        self.events.beganToListen()
        self.logger.debug("postgres listener listens")
        return connection
    }

    /// Returns when the connection is of no use any more, or the task is cancelled.
    private func watch(_ connection: PostgresConnection) async {
        while !Task.isCancelled {
            if await connection.hasEnded(within: self.configuration.healthCheckInterval) {
                return self.logger.warning("postgres listener lost its connection")
            }
            guard !Task.isCancelled else { return }
            do throws(PostgresError) {
                _ = try await connection.query("select 1")
            } catch {
                return self.logger.warning("postgres listener failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
