import Foundation
import RedisDriver
import Testing

@Suite struct GreetingTests {
    private func refusal(_ url: RedisURL) async throws -> String {
        var text = ""
        try await withClient(patient(url), isUpFirst: false) { client in
            await eventually("no attempt failed") {
                text = client.refusal?.description ?? "connected"
                return !text.contains("not connected yet")
            }
        }
        return text
    }

    @Test func `a server with a password lets in who has it and nobody else`() async throws {
        let server = try RedisProcess("--requirepass", "se cret")
        defer { withExtendedLifetime(server) {} }
        let endpoint = server.url.endpoint
        try await withClient(patient(RedisURL(endpoint: endpoint, password: "se cret"))) {
            try await $0.ping()
        }
        #expect(try await self.refusal(RedisURL(endpoint: endpoint, password: "wrong")).contains("WRONGPASS"))
        #expect(try await self.refusal(RedisURL(endpoint: endpoint)).contains("NOAUTH"))
    }

    @Test func `an ACL user logs in with a name and is bound by its rights`() async throws {
        let server = try RedisProcess("--user", "ann", "on", ">pw", "~ann:*", "+@all")
        defer { withExtendedLifetime(server) {} }
        let url = RedisURL(endpoint: server.url.endpoint, user: "ann", password: "pw")
        try await withClient(patient(url)) { client in
            try await client.set("ann:k", to: [1])
            let error = await failure { try await client.set("bob:k", to: [1]) }
            guard case .rejected("NOPERM", _) = error as? RedisError else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        let wrong = RedisURL(endpoint: server.url.endpoint, user: "bob", password: "pw")
        #expect(try await self.refusal(wrong).contains("WRONGPASS"))
    }

    @Test func `a database is selected, and one that is not there is named`() async throws {
        let server = try RedisProcess("--databases", "4")
        defer { withExtendedLifetime(server) {} }
        let endpoint = server.url.endpoint
        try await withClient(patient(RedisURL(endpoint: endpoint, database: 3))) {
            try await $0.set("k", to: [3])
        }
        try await withClient(patient(server.url)) { client in
            let value = try await client.get("k")
            #expect(value == nil)
        }
        try await withClient(patient(RedisURL(endpoint: endpoint, database: 3))) { client in
            let value = try await client.get("k")
            #expect(value == [3])
        }
        #expect(try await self.refusal(RedisURL(endpoint: endpoint, database: 4)).contains("out of range"))
    }

    @Test func `a socket in the file system is as good as a port`() async throws {
        let path = FileManager.default.temporaryDirectory.appending(
            path: "redis-\(UUID().uuidString.prefix(8)).sock"
        ).path
        let server = try RedisProcess("--unixsocket", path)
        defer { withExtendedLifetime(server) {} }
        defer { server.kill() }
        try await withClient(patient(RedisURL(endpoint: .unix(path: path)))) { client in
            try await client.set("k", to: [1])
            #expect(try await client.get("k") == [1])
        }
    }

    @Test func `a host's name is resolved, and one without an address is named`() async throws {
        let server = try RedisProcess()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(RedisURL(endpoint: .tcp(host: "localhost", port: server.port)))) {
            try await $0.ping()
        }
        let refusal = try await self.refusal(RedisURL(endpoint: .tcp(host: "no-such-host.invalid", port: 1)))
        #expect(refusal.contains("no-such-host.invalid"))
    }

    @Test func `a port where nobody listens is named as refused`() async throws {
        let refusal = try await self.refusal(
            RedisURL(endpoint: .tcp(host: "127.0.0.1", port: try freePort())))
        #expect(refusal.contains("Connection refused"))
    }
}
