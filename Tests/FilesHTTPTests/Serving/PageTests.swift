import ClusterTestKit
import DoorTestKit
import FileService
import Foundation
import HTTPDoor
import Testing

/// The page and its sessions over HTTP, without a browser.
@Suite struct PageTests {
    private static let page = ["flotilla-page": "1"]

    private static func cookie(_ answer: TestAnswer) throws -> String {
        let field = try #require(answer.headers["set-cookie"])
        return String(field.prefix { $0 != ";" })
    }

    private static func signIn(_ node: DoorNode, _ login: TestLogin) async throws -> String {
        let answer = try await node.files("POST", "/session", login, Self.page)
        #expect(answer.status == 201, "\(answer.text)")
        return try Self.cookie(answer)
    }

    @Test func `the page needs no credentials, and is not sent twice`() async throws {
        try await DoorNode.with { node in
            let root = try await node.files("HEAD", "/", nil)
            // The client follows the address that it is given.
            #expect(root.status == 200 && root.headers["content-type"] == "text/html; charset=utf-8")
            let page = try await node.files("GET", "/web/?utm_source=x", nil)
            #expect(page.status == 200 && page.text.hasPrefix("<!DOCTYPE html>"))
            #expect(page.headers["x-content-type-options"] == "nosniff")
            #expect(page.headers["cache-control"] == "no-cache" && page.headers["set-cookie"] == nil)
            let tag = try #require(page.headers["etag"])
            let again = try await node.files("GET", "/web/", nil, ["if-none-match": tag])
            #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == tag)
            for (method, target) in [("PUT", "/web/"), ("POST", "/web"), ("PATCH", "/session")] {
                let refused = try await node.files(method, target, nil)
                #expect(refused.status == 405 && refused.headers["allow"]?.contains("GET") == true)
            }
            #expect(
                try await node.files("OPTIONS", "/session", nil).headers["allow"]?.contains("POST") == true)
            #expect(try await node.files("GET", "/web/main.js", nil).status == 404)
            #expect(try await node.files("GET", "/session?x=1", nil).problem == "unknown-parameter")
        }
    }

    @Test func `a cookie opens files and uploads until it is taken away`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let begun = try await node.files("POST", "/session", alice, Self.page)
            #expect(begun.status == 201 && begun.text("account") == "alice")
            let field = try #require(begun.headers["set-cookie"])
            for word in ["Path=/", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
                #expect(field.contains("; \(word)"), "\(field)")
            }
            #expect(!field.contains("Secure"))
            let cookie = ["cookie": try Self.cookie(begun)]
            let mine = cookie.merging(Self.page) { one, _ in one }
            let who = try await node.files("GET", "/session", nil, cookie)
            #expect(who.text("account") == "alice" && who.text("expires_at") == begun.text("expires_at"))
            let stored = try await node.files("PUT", "/files/a.txt", nil, mine, body: Array("abc".utf8))
            #expect(stored.status == 201, "\(stored.text)")
            #expect(try await node.files("GET", "/files/a.txt", nil, cookie).text == "abc")
            let tus = mine.merging(["tus-resumable": "1.0.0"]) { one, _ in one }
            let upload = try await node.files(
                "POST", "/files/b.txt", nil, tus.merging(["upload-length": "3"]) { one, _ in one })
            let address = try #require(upload.headers["location"])
            let piece = ["upload-offset": "0", "content-type": "application/offset+octet-stream"]
            let sent = try await node.files(
                "PATCH", address, nil, tus.merging(piece) { one, _ in one }, body: Array("def".utf8))
            #expect(sent.status == 204, "\(sent.text)")
            #expect(try await node.files("GET", "/files/b.txt", nil, cookie).text == "def")
            let ended = try await node.files("DELETE", "/session", nil, mine)
            #expect(ended.status == 204)
            #expect(ended.headers["set-cookie"]?.hasPrefix("flotilla-session=; Path=/; Max-Age=0;") == true)
        }
    }

    @Test func `behind TLS the cookie never goes without it`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let headers = Self.page.merging(["x-forwarded-proto": "https"]) { one, _ in one }
            let begun = try await node.files("POST", "/session", alice, headers)
            #expect(begun.headers["set-cookie"]?.hasSuffix("; Secure") == true)
        }
    }

    @Test func `what other pages make a browser send is refused`() async throws {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let cookie = ["cookie": try await Self.signIn(node, alice)]
            #expect(try await node.files("PUT", "/files/a", nil, cookie, body: [1]).status == 401)
            #expect(try await node.files("DELETE", "/files/a", nil, cookie).status == 401)
            let foreign = cookie.merging(["sec-fetch-site": "same-site"]) { one, _ in one }
            #expect(try await node.files("GET", "/files/", nil, foreign).status == 401)
            let page = foreign.merging(Self.page) { one, _ in one }
            #expect(try await node.files("PUT", "/files/a", nil, page, body: [1]).status == 401)
            #expect(try await node.files("POST", "/session", alice).problem == "invalid-header")
            #expect(try await node.files("DELETE", "/session", nil, cookie).problem == "invalid-header")
            #expect(try await node.files("GET", "/files/", nil, cookie).status == 200)
        }
    }

    @Test func `a session ends with the password and with the account, also in the middle of a body`()
        async throws
    {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let cookie = ["cookie": try await Self.signIn(node, alice)]
            #expect(try await node.files("GET", "/files/", nil, cookie).status == 200)
            let text =
                "PUT /files/slow HTTP/1.1\r\nHost: x\r\nFlotilla-Page: 1\r\nCookie: \(cookie["cookie"] ?? "")\r\n"
                + "Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
            let answer = try await RawConnection.open(port: node.filesPort).converse(text) { invitation in
                #expect(invitation.hasPrefix("HTTP/1.1 100"))
                _ = try await node.desk.change(
                    name: "alice", enabled: nil, password: "another password", ifRevision: nil)
                try await node.beat()
                return "abc"
            }
            #expect(answer.contains("HTTP/1.1 401"), "\(answer)")
            #expect(try await node.files("GET", "/files/", nil, cookie).status == 401)
            let new = TestLogin(name: "alice", password: "another password")
            let second = ["cookie": try await Self.signIn(node, new)]
            #expect(try await node.files("GET", "/files/slow", nil, second).status == 404)
            _ = try await node.desk.change(name: "alice", enabled: false, password: nil, ifRevision: nil)
            try await node.beat()
            #expect(try await node.files("GET", "/files/", nil, second).status == 401)
        }
    }

    @Test func `only a password begins a session, and a refusal opens no window of the browser's`()
        async throws
    {
        try await DoorNode.with { node in
            let alice = try await node.makeAccount("alice")
            let wrong = TestLogin(name: "alice", password: "wrong password")
            for (login, headers) in [(wrong, Self.page), (nil, Self.page)] as [(TestLogin?, [String: String])]
            {
                let refused = try await node.files("POST", "/session", login, headers)
                #expect(refused.status == 401 && refused.headers["set-cookie"] == nil)
                #expect(refused.headers["www-authenticate"]?.hasPrefix("Flotilla-Session") == true)
            }
            let cookie = Self.page.merging(["cookie": try await Self.signIn(node, alice)]) { one, _ in one }
            #expect(try await node.files("POST", "/session", nil, cookie).status == 401)
            let (_, key) = try await node.desk.createKey(account: "alice", label: "robot", expiresAt: nil)
            try await node.beat()
            let bearer = Self.page.merging(["authorization": "Bearer \(key)"]) { one, _ in one }
            #expect(try await node.files("POST", "/session", nil, bearer).status == 401)
            #expect(try await node.files("GET", "/session", nil, bearer).text("account") == "alice")
            let plain = try await node.files("GET", "/files/", nil)
            #expect(plain.headers["www-authenticate"]?.hasPrefix("Basic") == true)
        }
    }
}
