import ClusterModel
import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import NIOCore
import NIOPosix
import Testing

/// What a real HAProxy makes of the lines.
@Suite struct BalancerTests {
    private typealias Server = Balancer.Server

    @Test func `weight and drain arrive at HAProxy, and both are taken back`() async throws {
        try await AgentNode.with(2, capacity: 10) { nodes in
            let balancer = try await Balancer(agents: nodes.map(\.port))
            try await eventually("two servers with their whole weight") {
                try await balancer.servers() == [
                    "w1": Server(state: "UP", weight: 100), "w2": Server(state: "UP", weight: 100),
                ]
            }
            for _ in 0..<9 { nodes[0].gauge.begin() }
            try await eventually("less for the busy one") {
                let servers = try await balancer.servers()
                return (servers["w1"]?.weight ?? 100) < 40 && servers["w2"]?.weight == 100
            }
            nodes[1].standing.set(.draining(nodes[1].right, ConfigVersion(1)))
            try await eventually("the drain") { try await balancer.servers()["w2"]?.state == "DRAIN (agent)" }
            // Both at once, and back: neither word sticks.
            nodes[0].standing.set(.isolated(nodes[0].right))
            try await eventually("the other one too") {
                try await balancer.servers()["w1"]?.state == "DRAIN (agent)"
            }
            for node in nodes { node.serve() }
            for _ in 0..<9 { nodes[0].gauge.end() }
            try await eventually("everything back", within: .seconds(40)) {
                try await balancer.servers() == [
                    "w1": Server(state: "UP", weight: 100), "w2": Server(state: "UP", weight: 100),
                ]
            }
            withExtendedLifetime(balancer) {}
        }
    }

    @Test func `a node that has not joined is down, and comes up when it has`() async throws {
        try await AgentNode.with { nodes in
            let balancer = try await Balancer(agents: nodes.map(\.port))
            try await eventually("up") { try await balancer.servers()["w1"]?.state == "UP" }
            let view = nodes[0].standing.view()
            nodes[0].standing.set(.outside)
            nodes[0].standing.set(view: nil)
            try await eventually("down") {
                try await balancer.servers()["w1"]?.state.hasPrefix("DOWN") == true
            }
            nodes[0].standing.set(view: view)
            nodes[0].serve()
            try await eventually("up again") { try await balancer.servers()["w1"]?.state == "UP" }
            withExtendedLifetime(balancer) {}
        }
    }
}

/// A HAProxy with a server for each agent; ends with its object.
private final class Balancer: Sendable {
    private let process: Process
    private let folder: ScratchFolder
    private let port: Int

    init(agents: [Int]) async throws {
        self.folder = try ScratchFolder("balancer")
        self.port = try await Self.freePort()
        let servers = agents.enumerated().map { index, port in
            "  server w\(index + 1) 127.0.0.1:1 check port \(port) inter 200ms weight 100 agent-check agent-addr 127.0.0.1 agent-port \(port) agent-inter 100ms"
        }
        let text = """
            defaults
              mode http
              timeout connect 1s
              timeout client 5s
              timeout server 5s
            listen stats
              bind 127.0.0.1:\(self.port)
              stats enable
              stats uri /stat
            backend nodes
              balance leastconn
            \(servers.joined(separator: "\n"))

            """
        try text.write(toFile: self.folder.path + "/haproxy.cfg", atomically: true, encoding: .utf8)
        let places = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy"]
        guard let program = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw TestFailure("HAProxy is not installed: deploy/scripts/dependencies.sh test installs it")
        }
        self.process = Process()
        self.process.executableURL = URL(filePath: program)
        self.process.arguments = ["-db", "-f", self.folder.path + "/haproxy.cfg"]
        self.process.standardOutput = FileHandle.nullDevice
        self.process.standardError = FileHandle.nullDevice
        try self.process.run()
    }

    deinit { self.process.terminate() }

    /// State and weight by name, as the statistics have them.
    func servers() async throws -> [String: Server] {
        guard let connection = try? await RawConnection.open(port: self.port) else { return [:] }
        let text = try await connection.exchange(["GET /stat;csv HTTP/1.0\r\n\r\n"])
        let lines = text.split(whereSeparator: \.isNewline)
        let rows = lines.map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        var found: [String: Server] = [:]
        for row in rows where row.count > 18 && row[0] == "nodes" && row[1].hasPrefix("w") {
            found[String(row[1])] = Server(state: String(row[17]), weight: Int(row[18]) ?? -1)
        }
        return found
    }

    struct Server: Equatable {
        var state: String
        var weight: Int
    }

    private static func freePort() async throws -> Int {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0).get()
        defer { server.close(promise: nil) }
        guard let port = server.localAddress?.port else { throw TestFailure("no port") }
        return port
    }
}
