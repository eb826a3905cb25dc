import BalancerAgent
import ClusterModel
import ClusterTestKit
import DoorTestKit
import HTTPDoor
import Logging
import ServiceLifecycle

import struct Foundation.Date
import struct Foundation.UUID

/// A node of which only what balancers see is there.
struct AgentNode: Sendable {
    let port: Int
    let door: AgentDoor
    let standing: FixedStanding
    let gauge: RequestGauge
    let right: NodeRight

    func ask() async throws -> String { try await RawConnection.open(port: self.port).exchange([]) }

    /// Serving again, whatever it was.
    func serve() { self.standing.set(.serving(self.right, ConfigVersion(1))) }

    /// Opens the doors of so many nodes for as long as the work takes.
    static func with(
        _ count: Int = 1, capacity: Int = 100, _ work: @Sendable ([AgentNode]) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var services: [any Service] = []
        var nodes: [@Sendable () async -> AgentNode] = []
        for number in 1...count {
            guard let incarnation = Incarnation(rawValue: Int64(number)),
                let name = NodeName("worker-\(number)")
            else { throw TestFailure("no name for \(number)") }
            let right = NodeRight(slot: Slot(Int16(number)), incarnation: incarnation, name: name)
            let standing = FixedStanding(right)
            standing.set(view: Self.view)
            let gauge = RequestGauge(capacity: capacity)
            let (ports, source) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
            let door = AgentDoor(
                host: "127.0.0.1", port: 0, standing: standing, meter: gauge, logger: logger,
                onBound: { source.yield($0) })
            services.append(door)
            nodes.append {
                var port = 0
                for await bound in ports {
                    port = bound
                    break
                }
                return AgentNode(port: port, door: door, standing: standing, gauge: gauge, right: right)
            }
        }
        let group = ServiceGroup(configuration: .init(services: services, logger: logger))
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await group.run() }
            var open: [AgentNode] = []
            for node in nodes { open.append(await node()) }
            try await work(open)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    private static let view = ClusterView(
        cluster: ClusterID(UUID()), version: 1, memberLimit: 20, schemaVersion: 1,
        configVersion: ConfigVersion(1), members: [], readAt: Date())
}
