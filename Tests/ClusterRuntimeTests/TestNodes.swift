import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Logging
import PostgresStore
import ServiceLifecycle
import SharedMount

/// Whole nodes without doors: runtime, real database, real mount.
enum TestNodes {
    struct Idle: LoadMeter {
        func sample() -> LoadSample { .idle }
    }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static func node(
        _ name: String?, _ database: TestDatabase, mount: String, lines: (any HeartbeatLines)? = nil,
        drain: (any OwnDrain)? = nil
    ) -> ClusterRuntime {
        ClusterRuntime(
            store: database.store, lines: lines ?? database.lines,
            mount: PosixVault(root: mount, logger: Self.quiet),
            meter: Idle(),
            profile: NodeProfile(
                name: name.flatMap { NodeName($0) },
                addresses: NodeAddresses(host: "127.0.0.1", filesPort: 1, adminPort: 2), version: "test",
                knownSchema: Migration.newest, attributes: [:], capacity: 10, connections: 1),
            drain: drain, board: StandingBoard(), logger: Self.quiet)
    }

    /// What deals with leases of a node, in the order in which it starts.
    static func leasing(
        _ node: ClusterRuntime, _ database: TestDatabase
    ) -> (desk: BatchingLeaseDesk, services: [any Service]) {
        let desk = BatchingLeaseDesk(store: database.store, standing: node.board, logger: Self.quiet)
        let sweeper = Sweeper(store: database.store, board: node.board, desk: desk, logger: Self.quiet)
        return (desk, [node, desk, sweeper])
    }

    static func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = try ScratchFolder("runtime")
        try await body(folder.path)
    }

    /// Runs nodes until the body returns, then stops them gracefully.
    static func running(
        _ nodes: [any Service], _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: nodes.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0, failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: Self.quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body()
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    static func isServing(_ node: ClusterRuntime) -> Bool {
        if case .serving = node.board.standing() { return true }
        return false
    }
}
