import BalancerAgent
import ClusterModel
import ClusterTestKit
import DoorTestKit
import HTTPDoor
import Logging
import ServiceLifecycle
import Testing

@Suite struct AgentDoorTests {
    @Test func `whoever connects gets one line and is let go`() async throws {
        try await AgentNode.with { nodes in
            let node = nodes[0]
            #expect(try await node.ask() == "up ready 100%\n")
            // Whatever is sent, before or after; what nobody read may reset the connection behind the line.
            let asked = try await RawConnection.open(port: node.port).exchange(["hello\n"])
            #expect(asked.hasPrefix("up ready 100%\n"))
            node.standing.set(.isolated(node.right))
            #expect(try await node.ask() == "up drain\n")
            node.serve()
            #expect(try await node.ask() == "up ready 100%\n")
        }
    }

    @Test func `requests in flight lower the weight, and it comes back`() async throws {
        try await AgentNode.with(capacity: 10) { nodes in
            let node = nodes[0]
            for _ in 0..<8 { node.gauge.begin() }
            try await eventually("a lower weight") { node.door.weight().percent < 50 }
            #expect(try await node.ask() == "up ready \(node.door.weight().percent)%\n")
            let low = node.door.weight().percent
            for _ in 0..<8 { node.gauge.end() }
            try await eventually("a higher weight") { node.door.weight().percent > low + 5 }
        }
    }

    @Test func `slow answers lower the weight`() async throws {
        try await AgentNode.with { nodes in
            let node = nodes[0]
            try await eventually("a lower weight") {
                for _ in 0..<20 { node.gauge.answered(in: .seconds(1)) }
                return node.door.weight().percent < 10
            }
            #expect((node.door.weight().latency ?? .zero) > .milliseconds(100))
        }
    }

    @Test func `those who hold connections keep no balancer out for long`() async throws {
        try await AgentNode.with { nodes in
            let node = nodes[0]
            // Each is closed as soon as it has its line, so nobody can hold one.
            for _ in 0..<3 {
                try await withThrowingTaskGroup { tasks in
                    for _ in 0..<50 { tasks.addTask { _ = try await node.ask() } }
                    try await tasks.waitForAll()
                }
            }
            #expect(try await node.ask() == "up ready 100%\n")
        }
    }

    @Test func `a node that stops says so before it goes, and only where somebody asks`() async throws {
        try await AgentNode.with { nodes in
            let (asked, alone) = (nodes[0], Farewell(nodes[0].door))
            #expect(try await asked.ask() == "up ready 100%\n")
            let group = ServiceGroup(
                configuration: .init(services: [alone], logger: .init(label: "test")))
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                await group.triggerGracefulShutdown()
                try await eventually("the word to the balancer") { try await asked.ask() == "up drain\n" }
                try await tasks.waitForAll()
            }
        }
    }

    @Test func `a port that is taken is named`() async throws {
        try await AgentNode.with { nodes in
            let second = AgentDoor(
                host: "127.0.0.1", port: nodes[0].port, standing: nodes[0].standing, meter: nodes[0].gauge,
                logger: .init(label: "test"), onBound: { _ in })
            await #expect {
                try await second.run()
            } throws: { error in
                "\(error)".contains("cannot listen on 127.0.0.1:\(nodes[0].port)")
            }
        }
    }
}
