import ClusterTestKit
import DoorTestKit
import Foundation
import HTTPDoor
import Testing

/// Folders, listings and changes of names.
@Suite struct FolderTests {
    @Test func `folders are made, listed in pages and removed`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            #expect(try await node.files("MKCOL", "/files/in", alice).status == 201)
            for number in 1...5 {
                #expect(
                    try await node.files("PUT", "/files/in/f\(number)", alice, body: [UInt8(number)]).status
                        == 201)
            }
            var names: [String] = []
            var cursor: String?
            repeat {
                let query = "limit=2" + (cursor.map { "&cursor=\($0)" } ?? "")
                let page = try await node.files("GET", "/files/in/?\(query)", alice)
                #expect(page.status == 200)
                let entries = try #require(page.member("entries") as? [[String: Any]])
                #expect(entries.count <= 2)
                names += entries.compactMap { $0["name"] as? String }
                cursor = page.text("next")
            } while cursor != nil
            #expect(names == ["f1", "f2", "f3", "f4", "f5"])
            let home = try await node.files("GET", "/files", alice)
            let entry = try #require((home.member("entries") as? [[String: Any]])?.first)
            #expect(entry["name"] as? String == "in" && entry["type"] as? String == "folder")
            let full = try await node.files("DELETE", "/files/in", alice)
            #expect(full.status == 409 && full.problem == "not-empty")
            #expect(try await node.files("DELETE", "/files/in?recursive=true", alice).status == 204)
            let gone = try await node.files("GET", "/files/in", alice)
            #expect(gone.status == 404 && gone.problem == "not-found")
        }
    }

    @Test func `a name that is not UTF-8 keeps its bytes`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            // Foundation's addresses cannot hold these bytes.
            func raw(_ method: String, _ target: String, _ rest: String = "\r\n") async throws -> String {
                try await RawConnection.open(port: node.filesPort).exchange([
                    "\(method) \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                        + "Authorization: \(alice.authorization)\r\n" + rest
                ])
            }
            let put = try await raw("PUT", "/files/%ff%fe", "Content-Length: 1\r\n\r\nx")
            #expect(put.hasPrefix("HTTP/1.1 201"), "\(put)")
            #expect(try await raw("GET", "/files/%FF%FE").hasSuffix("\r\n\r\nx"))
            let listing = try await node.files("GET", "/files/", alice)
            let entry = try #require((listing.member("entries") as? [[String: Any]])?.first)
            #expect(entry["name_base64"] as? String == "//4=")
            #expect(try await raw("DELETE", "/files/%ff%fe").hasPrefix("HTTP/1.1 204"))
        }
    }

    @Test func `a file moves, and never onto another`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            for name in ["a", "b"] {
                _ = try await node.files("PUT", "/files/\(name)", alice, body: Array(name.utf8))
            }
            let taken = try await node.files(
                "MOVE", "/files/a", alice, ["destination": "/files/b", "overwrite": "T"])
            #expect(taken.status == 412 && taken.problem == "exists")
            let address = "http://127.0.0.1:\(node.filesPort)/files/c"
            #expect(try await node.files("MOVE", "/files/a", alice, ["destination": address]).status == 201)
            #expect(try await node.files("GET", "/files/c", alice).text == "a")
            #expect(try await node.files("GET", "/files/b", alice).text == "b")
            #expect(
                try await node.files("MOVE", "/files/a", alice, ["destination": "/files/d"]).problem
                    == "not-found")
            let parent = try await node.files("MOVE", "/files/b", alice, ["destination": "/files/no/d"])
            #expect(parent.status == 409 && parent.problem == "parent-missing")
        }
    }

    @Test func `what stands in the way has its status and type`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            _ = try await node.files("PUT", "/files/file", alice, body: [1])
            _ = try await node.files("MKCOL", "/files/folder", alice)
            try FileManager.default.createSymbolicLink(
                atPath: node.onMount("alice", "link"), withDestinationPath: "/etc/passwd")
            let expected: [(String, String, Int, String)] = [
                ("PUT", "/files/no/x", 409, "parent-missing"), ("PUT", "/files/folder", 409, "is-folder"),
                ("PUT", "/files/file/x", 409, "not-a-folder"), ("PUT", "/files/link", 403, "forbidden-link"),
                ("PUT", "/files", 409, "is-home"), ("GET", "/files/no", 404, "not-found"),
                ("GET", "/files/file/x", 404, "not-found"), ("GET", "/files/file/", 404, "not-found"),
                ("GET", "/files/link", 403, "forbidden-link"), ("HEAD", "/files/no", 404, ""),
                ("MKCOL", "/files/folder", 405, "exists"), ("MKCOL", "/files/file", 405, "exists"),
                ("MKCOL", "/files/no/x", 409, "parent-missing"), ("DELETE", "/files/no", 404, "not-found"),
                ("DELETE", "/files", 409, "is-home"),
            ]
            for (method, target, status, type) in expected {
                let answer = try await node.files(method, target, alice, body: method == "PUT" ? [1] : nil)
                #expect(answer.status == status, "\(method) \(target): \(answer.text)")
                #expect(answer.problem ?? "" == type, "\(method) \(target): \(answer.text)")
            }
            let parents = try await node.files("PUT", "/files/no/such/x?parents=true", alice, body: [1])
            #expect(parents.status == 201)
            let into = try await node.files("MOVE", "/files/no", alice, ["destination": "/files/no/such/y"])
            #expect(into.status == 409 && into.problem == "exists")
            #expect(node.staged().isEmpty)
        }
    }

    @Test func `a home is closed to everybody else`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let bob = try await node.makeAccount("bob")
            _ = try await node.files("PUT", "/files/x", alice, body: [1])
            #expect(try await node.files("GET", "/files/x", bob).status == 404)
            for target in [
                "/files/../alice/x", "/files/%2e%2e/alice/x", "/files/..%2falice%2fx",
                "/files/a/../../alice/x",
            ] {
                let raw = try await RawConnection.open(port: node.filesPort).exchange([
                    "GET \(target) HTTP/1.1\r\nHost: x\r\nAuthorization: \(bob.authorization)\r\n"
                        + "Connection: close\r\n\r\n"
                ])
                #expect(raw.hasPrefix("HTTP/1.1 400"), "\(target): \(raw)")
                #expect(raw.contains("malformed-path"))
            }
        }
    }
}
