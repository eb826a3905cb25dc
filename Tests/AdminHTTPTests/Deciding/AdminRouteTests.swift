import AdminHTTP
import ClusterPorts
import Foundation
import HTTPDoor
import HTTPTypes
import Testing

@Suite struct AdminRouteTests {
    private func route(_ method: HTTPRequest.Method, _ target: String) throws -> AdminRoute {
        try AdminRoute(method: method, target: try RequestTarget(target))
    }

    @Test func `paths and methods lead to their routes`() throws {
        #expect(try self.route(.get, "/api/v1/cluster") == .cluster)
        #expect(try self.route(.head, "/api/v1/nodes") == .nodes)
        #expect(try self.route(.get, "/api/v1/nodes/worker-1") == .node("worker-1"))
        #expect(try self.route(.post, "/api/v1/accounts") == .createAccount)
        #expect(try self.route(.patch, "/api/v1/accounts/alice") == .changeAccount("alice"))
        #expect(
            try self.route(.delete, "/api/v1/accounts/alice/keys/1") == .revokeKey(account: "alice", id: "1"))
    }

    @Test(arguments: [
        "/", "/api/v1", "/api/v1/", "/api/v1/nodes/", "/api/v2/nodes", "/api/v1/accounts/a/keys/b/c",
        "/API/v1/nodes",
    ])
    func `other paths lead nowhere`(target: String) {
        #expect { try self.route(.get, target) } throws: { ($0 as? Problem)?.kind == .noRoute }
    }

    @Test func `another method is told which ones there are`() {
        #expect { try self.route(.delete, "/api/v1/accounts") } throws: { error in
            let problem = error as? Problem
            return problem?.status.code == 405 && problem?.headers[.allow] == "GET, HEAD, POST"
        }
    }

    @Test func `roles include those below them`() {
        #expect(OperatorToken.Role.admin.covers(.operator))
        #expect(OperatorToken.Role.operator.covers(.auditor))
        #expect(!OperatorToken.Role.auditor.covers(.operator))
        #expect(AdminRoute.createAccount.role == .operator)
        #expect(AdminRoute.transfers.role == .auditor)
    }

    @Test func `the document describes exactly what is there`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Sources/AdminHTTP/Resources/openapi.json")
        guard
            case .object(let document) = try JSONDecoder().decode(
                JSONValue.self, from: try Data(contentsOf: file)),
            case .object(let paths) = document["paths"]
        else {
            Issue.record("the document has no paths")
            return
        }
        var described: Set<String> = []
        for (path, operations) in paths {
            guard case .object(let operations) = operations else { continue }
            described.formUnion(operations.keys.map { "\($0.uppercased()) \(path)" })
        }
        var served = Set(
            AdminRoute.patterns.flatMap { pattern in
                pattern.methods.map { "\($0.method) /api/v1\(pattern.path)" }
            })
        served.formUnion(Health.Question.allCases.map { "GET /health/\($0.rawValue)" })
        #expect(described == served)
    }
}
