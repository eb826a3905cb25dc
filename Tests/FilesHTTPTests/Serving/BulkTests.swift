import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Many removals in one request.
@Suite struct BulkTests {
    private func outcomes(_ answer: TestAnswer) -> [String] {
        (answer.member("results") as? [[String: Any]] ?? []).compactMap { $0["outcome"] as? String }
    }

    @Test func `each path has its answer, and the same request again changes nothing`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for path in ["in/a", "in/b", "in/sub/c", "in/full/d", "e"] {
                _ = try await node.files("PUT", "/files/\(path)?parents=true", alice, body: [1])
            }
            let body = Array(
                #"""
                {"paths": ["a", "sub/c", "sub", "full", "no", "b/", "../e", {"path": "b", "if_match": "\"x\""}]}
                """#.utf8)
            let json = ["content-type": "application/json; charset=utf-8"]
            let first = try await node.files("POST", "/files/in/?bulk=delete", alice, json, body: body)
            #expect(first.status == 200, "\(first.text)")
            #expect(
                self.outcomes(first) == [
                    "removed", "removed", "removed", "refused", "missing", "refused", "refused", "refused",
                ], "\(first.text)")
            let results = first.member("results") as? [[String: Any]] ?? []
            let types = results.compactMap { $0["type"] as? String }.map {
                $0.replacingOccurrences(of: "urn:flotilla:problem:", with: "")
            }
            #expect(types == ["not-empty", "not-a-folder", "malformed-path", "changed"])
            #expect(results[3]["status"] as? Int == 409)
            #expect(first.member("removed") as? Int == 3 && first.member("refused") as? Int == 4)
            let again = try await node.files("POST", "/files/in/?bulk=delete", alice, json, body: body)
            #expect(
                self.outcomes(again) == [
                    "missing", "missing", "missing", "refused", "missing", "refused", "refused", "refused",
                ], "\(again.text)")
            let left = FileManager.default.subpaths(atPath: node.onMount("alice", "")) ?? []
            #expect(left.sorted() == ["e", "in", "in/b", "in/full", "in/full/d"])
        }
    }

    @Test func `a thousand files go in one request, and a thousand and one do not`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("MKCOL", "/files/in", alice)
            let names = (0..<1_000).map { "file-\($0)" }
            for name in names {
                _ = FileManager.default.createFile(
                    atPath: node.onMount("alice", "in/\(name)"), contents: Data("x".utf8))
            }
            let body = try JSONSerialization.data(withJSONObject: ["paths": names.map { "in/" + $0 }])
            let start = ContinuousClock.now
            let answer = try await node.files("POST", "/files/?bulk=delete", alice, body: Array(body))
            print("bulk removal of 1,000 files: \(ContinuousClock.now - start)")
            #expect(
                answer.status == 200 && answer.member("removed") as? Int == 1_000,
                "\(answer.text.prefix(300))")
            #expect(FileManager.default.subpaths(atPath: node.onMount("alice", "in"))?.isEmpty == true)
            let log = try await node.transfers(of: "alice", atLeast: 100)
            #expect(log.allSatisfy { $0["status"] as? String == "completed" })
            let many = try JSONSerialization.data(withJSONObject: ["paths": names + ["one more"]])
            let refused = try await node.files("POST", "/files/?bulk=delete", alice, body: Array(many))
            #expect(refused.status == 400 && refused.problem == "invalid-field")
            let large = [UInt8](repeating: 32, count: (1 << 20) + 1)
            let tooLarge = try await node.files("POST", "/files/?bulk=delete", alice, body: large)
            #expect(tooLarge.status == 413 && tooLarge.problem == "too-large")
        }
    }

    @Test func `folders go with all that is in them, also when both are listed`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for path in ["a/b/c", "a/d", "e/f"] {
                _ = try await node.files("PUT", "/files/\(path)?parents=true", alice, body: [1])
            }
            let body = Array(#"{"paths": ["a", "a/b", "e/", "a/b/c", ""], "recursive": true}"#.utf8)
            let answer = try await node.files("POST", "/files?bulk=delete", alice, body: body)
            #expect(
                self.outcomes(answer) == ["removed", "removed", "removed", "removed", "refused"],
                "\(answer.text)")
            #expect(FileManager.default.subpaths(atPath: node.onMount("alice", ""))?.isEmpty == true)
        }
    }
}
