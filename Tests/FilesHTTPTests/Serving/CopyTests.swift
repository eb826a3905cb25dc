import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Copies of files and folders.
@Suite struct CopyTests {
    @Test func `a file is copied, and replaces another only when that is said`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 17) }
            let put = try await node.files("PUT", "/files/a", alice, body: bytes)
            let copy = try await node.files("COPY", "/files/a", alice, ["destination": "/files/b"])
            #expect(copy.status == 201, "\(copy.text)")
            #expect(copy.text("sha256") == put.text("sha256") && copy.member("bytes") as? Int == bytes.count)
            let got = try await node.files("GET", "/files/b", alice)
            #expect(got.body == bytes && got.headers["etag"] == copy.headers["etag"])
            _ = try await node.files("PUT", "/files/b", alice, body: [1])
            for headers in [[:], ["overwrite": "F"]] as [[String: String]] {
                let taken = try await node.files(
                    "COPY", "/files/a", alice, headers.merging(["destination": "/files/b"]) { $1 })
                #expect(taken.status == 412 && taken.problem == "exists", "\(taken.text)")
            }
            #expect(try await node.files("GET", "/files/b", alice).body == [1])
            let over = try await node.files(
                "COPY", "/files/a", alice, ["destination": "/files/b", "overwrite": "T"])
            #expect(over.status == 200)
            #expect(try await node.files("GET", "/files/b", alice).body == bytes)
            let log = try await node.transfers(of: "alice", atLeast: 6)
            #expect(log.contains { $0["id"] as? String == over.text("transfer_id") })
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `a folder is copied with all that is in it, and links are told`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for path in ["in/a", "in/deep/er/b", "in/deep/c"] {
                let put = try await node.files(
                    "PUT", "/files/\(path)?parents=true", alice, body: Array(path.utf8))
                #expect(put.status == 201)
            }
            _ = try await node.files("MKCOL", "/files/in/empty", alice)
            try FileManager.default.createSymbolicLink(
                atPath: node.onMount("alice", "in/deep/link"), withDestinationPath: "/etc")
            let copy = try await node.files("COPY", "/files/in/", alice, ["destination": "/files/out/"])
            #expect(copy.status == 201, "\(copy.text)")
            #expect(copy.text("path") == "/out")
            #expect(copy.member("files") as? Int == 3 && copy.member("folders") as? Int == 3)
            #expect(copy.member("left_out") as? Int == 1)
            #expect(copy.member("left_out_paths") as? [String] == ["deep/link"])
            let found = FileManager.default.subpaths(atPath: node.onMount("alice", "out")) ?? []
            #expect(found.sorted() == ["a", "deep", "deep/c", "deep/er", "deep/er/b", "empty"])
            #expect(try await node.files("GET", "/files/out/deep/er/b", alice).text == "in/deep/er/b")
            let attributes = try FileManager.default.attributesOfItem(
                atPath: node.onMount("alice", "out/deep/c"))
            #expect(attributes[.posixPermissions] as? Int == 0o640)
            let log = try await node.transfers(of: "alice", atLeast: 5)
            let record = log.first { $0["id"] as? String == copy.text("transfer_id") }
            #expect(record?["status"] as? String == "completed" && record?["kind"] as? String == "folder")
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `what stands in the way of a copy has its status and type`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("PUT", "/files/file", alice, body: [1])
            _ = try await node.files("PUT", "/files/in/x?parents=true", alice, body: [1])
            try FileManager.default.createSymbolicLink(
                atPath: node.onMount("alice", "link"), withDestinationPath: "in")
            let expected: [(String, String, Int, String)] = [
                ("/files/no", "/files/b", 404, "not-found"), ("/files/in", "/files/in/y", 409, "exists"),
                ("/files/in", "/files/in", 412, "exists"), ("/files/in", "/files/file", 412, "exists"),
                ("/files/file", "/files/in", 409, "is-folder"), ("/files", "/files/b", 409, "is-home"),
                ("/files/in", "/files", 409, "is-home"), ("/files/in", "/files/no/b", 409, "parent-missing"),
                ("/files/file", "/files/no/b", 409, "parent-missing"),
                ("/files/in", "/files/file/b", 409, "not-a-folder"),
                ("/files/link", "/files/b", 403, "forbidden-link"),
                ("/files/link/x", "/files/b", 403, "forbidden-link"),
                ("/files/in", "/files/link/b", 403, "forbidden-link"),
                ("/files/file", "/files/link", 403, "forbidden-link"),
            ]
            for overwrite in ["F", "T"] {
                for (from, target, status, type) in expected {
                    let answer = try await node.files(
                        "COPY", from, alice, ["destination": target, "overwrite": overwrite])
                    #expect(answer.status == status, "\(from) → \(target) \(overwrite): \(answer.text)")
                    #expect(answer.problem == type, "\(from) → \(target) \(overwrite): \(answer.text)")
                }
            }
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `a folder deeper than the bound is refused and leaves nothing`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let deep = Array(repeating: "d", count: 140).joined(separator: "/")
            #expect(
                try await node.files("PUT", "/files/in/\(deep)/x?parents=true", alice, body: [1]).status
                    == 201)
            let copy = try await node.files("COPY", "/files/in", alice, ["destination": "/files/out"])
            #expect(copy.status == 409 && copy.problem == "too-large", "\(copy.text)")
            #expect(try await node.files("GET", "/files/out", alice).status == 404)
            try await eventually("staging is empty") { node.staged().isEmpty }
        }
    }
}
