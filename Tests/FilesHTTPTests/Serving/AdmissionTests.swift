import ClusterModel
import ClusterTestKit
import DoorTestKit
import Testing

/// A node that has enough to do refuses what comes on top, and says when to come back.
@Suite struct AdmissionTests {
    @Test func `above its bound a node refuses files, but neither health nor operators`() async throws {
        try await DoorNode.with(bounds: TestBounds(requests: 1)) { node in
            let alice = try await node.makeAccount("alice")
            try await Self.holding(node, alice) {
                let refused = try await Self.refusal(node, alice)
                #expect(refused.problem == "too-busy" && refused.headers["retry-after"] == "1")
                let upload = try await node.files("PUT", "/files/y", alice, body: [1])
                #expect(upload.status == 503 && upload.problem == "too-busy")
                for question in ["live", "ready", "startup"] {
                    #expect(try await node.files("GET", "/health/\(question)", nil).status == 200)
                }
                let shown = try await node.admin("GET", "/api/v1/nodes/\(node.right.name)")
                let ingress = try #require(shown.member("ingress") as? [String: Any])
                let refusals = try #require(ingress["refused"] as? [String: Any])
                #expect((refusals["node"] as? Int ?? 0) >= 2 && refusals["account"] as? Int == 0)
                #expect(ingress["weight"] as? Int == 100 && (ingress["in_flight"] as? Int ?? 0) >= 1)
            }
            try await eventually("room again") {
                try await node.files("GET", "/files/nothing", alice).status == 404
            }
        }
    }

    @Test func `an account above its bound keeps no other account out`() async throws {
        try await DoorNode.with(bounds: TestBounds(ofAccount: 1)) { node in
            let alice = try await node.makeAccount("alice")
            let bob = try await node.makeAccount("bob")
            try await Self.holding(node, alice) {
                let refused = try await Self.refusal(node, alice)
                #expect(refused.problem == "account-busy" && refused.headers["retry-after"] == "1")
                #expect(refused.text("account") == "alice")
                #expect(try await node.files("GET", "/files/nothing", bob).status == 404)
            }
            try await eventually("room again") {
                try await node.files("GET", "/files/nothing", alice).status == 404
            }
        }
    }

    @Test func `downloads give their place back, read to the end or not`() async throws {
        try await DoorNode.with(bounds: TestBounds(ofAccount: 1)) { node in
            let alice = try await node.makeAccount("alice")
            let body = [UInt8](repeating: 7, count: 8 << 20)
            let stored = try await node.files("PUT", "/files/large", alice, body: body)
            #expect(stored.status == 201)
            for turn in 0..<4 {
                try await eventually("download \(turn)") {
                    try await node.files("HEAD", "/files/large", alice).status == 200
                }
                let request =
                    "GET /files/large HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n\r\n"
                _ = try await RawConnection.open(port: node.filesPort).exchange([request]) {
                    $0.contains("200 OK")
                }
            }
            try await eventually("the whole of it") {
                try await node.files("GET", "/files/large", alice).body == body
            }
        }
    }

    /// Runs while an upload of the account is under way and stands still.
    ///
    /// The upload itself is refused when a question is being answered just then, and is sent again.
    private static func holding(
        _ node: DoorNode, _ login: TestLogin, _ work: @Sendable () async throws -> Void
    ) async throws {
        let head =
            "PUT /files/x HTTP/1.1\r\nHost: x\r\nAuthorization: \(login.authorization)\r\nContent-Length: 10\r\n\r\nabc"
        try await withThrowingTaskGroup { tasks in
            tasks.addTask {
                while !Task.isCancelled {
                    let connection = try await RawConnection.open(port: node.filesPort)
                    _ = try? await connection.exchange([head]) { $0.contains(" 503 ") }
                }
            }
            try await work()
            tasks.cancelAll()
        }
    }

    /// The first refusal; before, the upload may not have begun.
    private static func refusal(_ node: DoorNode, _ login: TestLogin) async throws -> TestAnswer {
        var refused: TestAnswer?
        try await eventually("a refusal") {
            let answer = try await node.files("GET", "/files/nothing", login)
            refused = answer.status == 503 ? answer : nil
            return refused != nil
        }
        return try #require(refused)
    }
}
