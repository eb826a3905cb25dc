import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Quotas as clients and administrators see them.
@Suite struct QuotaServingTests {
    @Test func `a limit is set, shown, held and taken away`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("GET", "/files/", alice).headers["quota-used-bytes"] == nil)
            let address = "/api/v1/accounts/alice"
            let set = try await node.admin("PATCH", address, json: #"{"quota_bytes":10,"quota_files":2}"#)
            #expect(set.status == 200 && set.member("quota_bytes") as? Int == 10)
            try await node.beat()
            #expect(try await node.files("PUT", "/files/a", alice, body: [1, 2, 3, 4]).status == 201)
            for method in ["GET", "HEAD"] {
                let home = try await node.files(method, "/files/", alice)
                #expect(home.status == 200)
                #expect(home.headers["quota-used-bytes"] == "4")
                #expect(home.headers["quota-available-bytes"] == "6")
                #expect(home.headers["quota-used-files"] == "1")
                #expect(home.headers["quota-available-files"] == "1")
            }
            let large = try await node.files("PUT", "/files/b", alice, body: [UInt8](repeating: 7, count: 7))
            #expect(large.status == 413 && large.problem == "over-quota")
            #expect(large.text("of") == "bytes" && large.text("limit") == "10")
            #expect(large.text("used") == "4" && large.text("needed") == "7")
            let begun = try await node.files(
                "POST", "/files/b", alice, ["tus-resumable": "1.0.0", "upload-length": "7"])
            #expect(begun.status == 413 && begun.problem == "over-quota")
            #expect(try await node.files("PUT", "/files/b", alice, body: []).status == 201)
            let many = try await node.files("PUT", "/files/c", alice, body: [])
            #expect(many.status == 413 && many.text("of") == "files" && many.text("limit") == "2")
            let shown = try await node.admin("GET", address)
            let use = try #require(shown.member("use") as? [String: Any])
            #expect(use["bytes"] as? Int == 4 && use["files"] as? Int == 2)
            #expect(use["open_upload_bytes"] as? Int == 0 && use["counting"] as? Bool == true)
            let listed = try await node.admin("GET", "/api/v1/accounts").items()
            #expect((listed.first?["use"] as? [String: Any])?["bytes"] as? Int == 4)
            #expect(try await node.admin("POST", "\(address)/recount").status == 202)
            let free = try await node.admin(
                "PATCH", address, json: #"{"quota_bytes":null,"quota_files":null}"#)
            #expect(free.status == 200 && free.member("use") == nil && free.member("quota_bytes") == nil)
            try await node.beat()
            #expect(
                try await node.files("PUT", "/files/c", alice, body: [UInt8](repeating: 7, count: 70)).status
                    == 201)
            let none = try await node.admin("POST", "\(address)/recount")
            #expect(none.status == 400 && none.text("field") == "name")
            let new = try await node.admin(
                "POST", "/api/v1/accounts", json: #"{"name":"bob","quota_bytes":5}"#)
            #expect(new.status == 201 && new.member("quota_bytes") as? Int == 5)
            for bad in [#"{"quota_bytes":-1}"#, #"{"quota_files":"1"}"#, #"{"quota_bytes":1.5}"#] {
                let answer = try await node.admin("PATCH", address, json: bad)
                #expect(answer.status == 400 && answer.problem == "invalid-field", "\(bad)")
            }
        }
    }

    @Test(arguments: ["9223372036854775807", "9223372036845775807", "1152921504606846976"])
    func `a length beyond all files is refused, and the node lives`(length: String) async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.admin("PATCH", "/api/v1/accounts/alice", json: #"{"quota_bytes":20000000}"#)
            try await node.beat()
            let nine = [UInt8](repeating: 9, count: 9 << 20)
            #expect(try await node.files("PUT", "/files/nine", alice, body: nine).status == 201)
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n"
                    + "Content-Length: \(length)\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 4"), "\(answer)")
            let begun = try await node.files(
                "POST", "/files/b", alice, ["tus-resumable": "1.0.0", "upload-length": length])
            #expect([400, 413].contains(begun.status))
            #expect(try await node.files("PUT", "/files/c", alice, body: [1]).status == 201)
        }
    }

    @Test func `a tree that is deeper than any path is counted and removed`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let chain = Array(repeating: String(repeating: "n", count: 255), count: 12).joined(separator: "/")
            for top in ["a", "b", "c"] {
                let made = try await node.files("MKCOL", "/files/\(top)/\(chain)?parents=true", alice)
                #expect(made.status == 201)
            }
            #expect(try await node.files("PUT", "/files/a/\(chain)/x", alice, body: [1, 2, 3]).status == 201)
            for (from, to) in [("a", "b"), ("b", "c")] {
                let moved = try await node.files(
                    "MOVE", "/files/\(from)", alice, ["destination": "/files/\(to)/\(chain)/\(from)"])
                #expect(moved.status == 201, "\(moved)")
            }
            _ = try await node.admin("PATCH", "/api/v1/accounts/alice", json: #"{"quota_bytes":10}"#)
            try await node.beat()
            let removed = try await node.files("DELETE", "/files/c?recursive=true", alice)
            #expect(removed.status == 204, "\(removed)")
        }
    }

    @Test func `a client that waits is refused before it sends anything`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.admin("PATCH", "/api/v1/accounts/alice", json: #"{"quota_bytes":10}"#)
            try await node.beat()
            let answer = try await RawConnection.open(port: node.filesPort).exchange([
                "PUT /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: \(alice.authorization)\r\n"
                    + "Content-Length: 1000000\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
            ])
            #expect(answer.hasPrefix("HTTP/1.1 413"), "\(answer)")
        }
    }
}
