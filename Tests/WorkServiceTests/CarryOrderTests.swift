import ClusterModel
import ClusterPorts
import Foundation
import Testing
import WorkService

@Suite struct CarryOrderTests {
    private static let places =
        #""from": {"account": "alice", "path": "/a"}, "to": {"account": "bob", "path": "b/c"}"#

    @Test func `an order says what and where to`() throws {
        let plain = try CarryOrder("{\(Self.places)}")
        #expect(plain.from.account.description == "alice" && plain.from.path.description == "/a")
        #expect(plain.to.account.description == "bob" && plain.to.path.description == "/b/c")
        #expect(!plain.replaces && !plain.makesParents && plain.digest == nil && plain.entityTag == nil)
        let digest = String(repeating: "ab", count: 32)
        let full = try CarryOrder(
            #"{\#(Self.places), "replace": true, "parents": true, "sha256": "\#(digest)", "etag": "\"x\""}"#)
        #expect(full.replaces && full.makesParents && full.digest?.description == digest)
        #expect(full.entityTag == "\"x\"")
    }

    @Test(arguments: [
        ("[]", ""), ("{", ""), ("{}", "from"), (#"{"from": "a"}"#, "from"),
        (#"{"from": {"path": "/a"}}"#, "from.account"), (#"{"from": {"account": "A B"}}"#, "from.account"),
        (#"{"from": {"account": "a"}}"#, "from.path"),
        (#"{"from": {"account": "a", "path": 1}}"#, "from.path"),
        (#"{"from": {"account": "a", "path": "/../b"}}"#, "from.path"),
        (#"{"from": {"account": "a", "path": "/"}}"#, "from.path"),
        (#"{"from": {"account": "a", "path": "b", "x": 1}}"#, "from.x"),
        (#"{"from": {"account": "a", "path": "b"}, "to": null}"#, "to"),
        (#"{"from": {"account": "a", "path": "b"}, "to": {"account": "a", "path": "/b"}}"#, "to"),
        (#"{\#(places), "replace": 1}"#, "replace"), (#"{\#(places), "sha256": "ab"}"#, "sha256"),
        (#"{\#(places), "etag": true}"#, "etag"), (#"{\#(places), "recursive": true}"#, "recursive"),
    ])
    func `what is wrong with a payload is named by its field`(payload: String, field: String) {
        let fault = #expect(throws: CarryOrder.Fault.self) { try CarryOrder(payload) }
        #expect(fault?.field == field)
    }

    @Test func `the ids of a job's changes are the same each time, and no two are equal`() throws {
        var seen: Set<UUID> = []
        for job in 1...20 as ClosedRange<Int64> {
            let id = try #require(JobID(rawValue: job))
            for step in [CarryStep.publish, .rename, .remove] {
                for round in 0..<CarryStep.rounds {
                    let operation = step.operation(of: id, round: round)
                    #expect(operation == step.operation(of: id, round: round))
                    #expect(seen.insert(operation).inserted)
                }
            }
        }
        // Fixed for ever: another program must find what this one has decided.
        let first = CarryStep.publish.operation(of: try #require(JobID(rawValue: 1)), round: 0)
        #expect(first.uuidString.lowercased() == "2d8e0ac8-fb03-8330-8344-56d3deaac00e")
    }

    @Test func `a checkpoint is read as it was written, the largest numbers too`() {
        let identity = FileIdentity(inode: .max, size: .max, modified: -.max, isFolder: false)
        let checkpoint = CarryCheckpoint(round: 3, source: identity)
        #expect(CarryCheckpoint(checkpoint.text) == checkpoint)
        #expect(CarryCheckpoint("{}") == nil && CarryCheckpoint(nil) == nil)
    }
}
