import DoorTestKit
import Testing

@Suite struct JobPayloadTests {
    @Test func `a payload that its handler would refuse is refused at once, by its field`() async throws {
        try await DoorNode.with { node in
            let answer = try await node.admin(
                "POST", "/api/v1/jobs", json: #"{"kind": "noop", "payload": {"to": {"colour": 1}}}"#)
            #expect(answer.status == 400 && answer.problem == "invalid-field")
            #expect(answer.text("field") == "payload.to.colour")
        }
    }

    @Test func `a job is taken from the share of whom its payload names, unless the submitter says`()
        async throws
    {
        try await DoorNode.with { node in
            for name in ["alice", "bob"] { _ = try await node.makeAccount(name) }
            for (account, more) in [("alice", ""), ("bob", #", "account": "bob""#)] {
                let answer = try await node.admin(
                    "POST", "/api/v1/jobs", json: #"{"kind": "noop", "payload": {"to": "alice"}\#(more)}"#)
                #expect(answer.status == 202)
                let place = try #require(answer.headers["location"])
                let shown = try await node.admin("GET", place).member("job") as? [String: Any]
                #expect(shown?["account"] as? String == account)
            }
        }
    }
}
