import CSendCork
package import Logging
package import ReadinessLoop
import ServiceLifecycle

/// A few connections that any number of tasks share.
///
/// Every statement is a transaction of its own: they travel in pipelines, many at a time, and an error
/// touches no neighbour. Statements wait in the order in which they came, for a bounded time, in a bounded
/// queue. Those that were given before `run` began, or while no server is there, wait for it within their
/// deadline.
///
/// Tasks anywhere may call it. One that runs on the pool's own loop (`LoopTaskExecutor`) needs no change of
/// threads for it, which halves the time of a statement that travels alone.
///
/// What must not wait for ordinary work has a lane of its own (``PostgresLane``). For transactions, scripts
/// and everything else that has a state on the connection there is `withExclusiveConnection`.
package final class PostgresPool: Service {
    package let configuration: PostgresPoolConfiguration
    let loop: ReadinessLoop
    let logger: Logger
    private let lanes: [PostgresLane: PostgresPoolLane]
    private let ordinary: PostgresPoolLane
    let exclusives: ExclusivePlaces

    /// Checks the configuration and connects to nothing yet.
    ///
    /// - Throws: `didNotRun(.invalid)` when the connection string is not valid.
    package init(
        _ configuration: PostgresPoolConfiguration, loop: ReadinessLoop, logger: Logger
    ) throws(PostgresError) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        let route = Route(try ConnectionTargets(configuration.server))
        func make(
            _ lane: PostgresLane, _ sizes: PostgresLaneSizes
        ) throws(PostgresError) -> PostgresPoolLane {
            var route = route
            if !sizes.sessionSettings.isEmpty {
                // One with settings of its own looks for the right host by itself.
                var server = configuration.server
                server.sessionSettings.merge(sizes.sessionSettings) { _, own in own }
                route = Route(try ConnectionTargets(server))
            }
            let core = PoolCore(
                lane, sizes: sizes, configuration: configuration, route: route, loop: loop, logger: logger)
            return PostgresPoolLane(lane, core: core, deadline: configuration.deadline, loop: loop)
        }
        let ordinarySizes = PostgresLaneSizes(
            connections: configuration.connections, depth: configuration.depth,
            waitingLimit: configuration.waitingLimit)
        let ordinary = try make(.ordinary, ordinarySizes)
        var lanes: [PostgresLane: PostgresPoolLane] = [:]
        for (lane, sizes) in configuration.lanes { lanes[lane] = try make(lane, sizes) }
        lanes[.ordinary] = ordinary
        self.ordinary = ordinary
        self.lanes = lanes
        self.exclusives = ExclusivePlaces(limit: configuration.exclusiveConnections, loop: loop)
    }

    /// Keeps the connections until the task is cancelled or its service group shuts down.
    ///
    /// Then statements that were accepted may end, within `shutdownLimit`; new ones are refused.
    package func run() async {
        if !flotilla_cork_is_in_place() {
            self.logger.warning(
                "statements leave one by one: this program was linked so that libpq does not find its send(2)"
            )
        }
        for lane in self.lanes.values { lane.start() }
        // Throws when the task is cancelled, which ends the pool all the same.
        try? await gracefulShutdown()
        await withTaskGroup(of: Void.self) { group in
            for lane in self.lanes.values { group.addTask { await lane.stop() } }
        }
    }

    /// Runs one statement and waits for the server to have finished it: its transaction is over then.
    ///
    /// A cancelled task stops waiting at once; a statement that was sent is left to the server's
    /// `statement_timeout`.
    ///
    /// - Parameter deadline: from now until the answer, waiting included; the configured one if nil.
    package func query(
        _ statement: PostgresStatement, deadline: Duration? = nil
    ) async throws(PostgresError) -> PostgresRows {
        try await self.ordinary.query(statement, deadline: deadline)
    }

    /// The lane of that name; the ordinary one if the configuration has none such.
    package func lane(_ lane: PostgresLane) -> PostgresPoolLane { self.lanes[lane] ?? self.ordinary }

    /// All lanes together.
    package func statistics() async -> PostgresPoolStatistics {
        var sum = PostgresPoolStatistics()
        for lane in self.lanes.values { sum += await lane.statistics() }
        return sum
    }

    /// Each lane by itself.
    package func laneStatistics() async -> [PostgresLane: PostgresPoolStatistics] {
        var all: [PostgresLane: PostgresPoolStatistics] = [:]
        for (lane, entry) in self.lanes { all[lane] = await entry.statistics() }
        return all
    }
}
