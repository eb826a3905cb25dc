import Foundation
import RedisDriver
import Testing

private let wantedVersion = ProcessInfo.processInfo.environment["FLOTILLA_TEST_HIREDIS"]

@Suite struct HiredisVersionTests {
    @Test(.enabled(if: wantedVersion != nil, "no version was asked for"))
    func `the driver was built with the hiredis that was asked for`() throws {
        let wanted = try #require(wantedVersion)
        #expect("\(RedisURLError.tlsNotAvailable(missing: ""))".contains("hiredis \(wanted) "))
    }

    @Test(.enabled(if: RedisTLS.missing != nil, "this hiredis has TLS"))
    func `a client that was given TLS all the same is refused with what is missing`() async throws {
        let missing = try #require(RedisTLS.missing)
        let url = RedisURL(endpoint: .tcp(host: "127.0.0.1", port: 1), tls: RedisTLS())
        try await withClient(patient(url), isUpFirst: false) { client in
            await eventually("the refusal is \(String(describing: client.refusal))") {
                client.refusal?.description.contains("TLS needs \(missing)") == true
            }
        }
    }
}

/// Runs where hiredis has TLS; `make newer-hiredis` sees to that.
@Suite(.serialized, .enabled(if: RedisTLS.missing == nil, "hiredis 0.14 has no TLS"))
struct TLSTests {
    private func url(_ server: TLSServer, host: String = "localhost", ca: String? = nil) -> RedisURL {
        RedisURL(
            endpoint: .tcp(host: host, port: server.port),
            tls: RedisTLS(authorityFile: ca ?? server.certificates.path("ca.pem")))
    }

    private func refusal(_ url: RedisURL, containing words: String...) async throws {
        try await withClient(patient(url), isUpFirst: false) { client in
            await eventually("the refusal is \(String(describing: client.refusal))") {
                let text = client.refusal?.description ?? ""
                return words.allSatisfy(text.contains)
            }
        }
    }

    @Test func `calls, large values and subscriptions go through TLS`() async throws {
        let server = try TLSServer()
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(self.url(server))) { client in
            for size in [0, 1, 16_383, 16_384, 16_385, 3_000_000] {
                let value = [UInt8](repeating: 7, count: size)
                try await client.set("k", to: value)
                #expect(try await client.get("k") == value)
            }
            var events = try client.messages(on: ["c"]).makeAsyncIterator()
            #expect(await events.next() == .subscribed)
            #expect(try await client.publish([1], on: "c") == 1)
            #expect(await events.next() == .message(channel: "c", payload: [1]))
            try await withThrowingTaskGroup { group in
                for number in 0..<5000 {
                    group.addTask {
                        try await client.set("k\(number)", to: Array("\(number)".utf8))
                        #expect(try await client.get("k\(number)") == Array("\(number)".utf8))
                    }
                }
                try await group.waitForAll()
            }
            #expect(
                try await RedisScript("return ARGV[1]").run(on: client, keys: [], arguments: [[9]])
                    == .bulk([9]))
            #expect(client.statistics.connections == 1)
        }
    }

    @Test func `a certificate of an unknown authority is refused`() async throws {
        let server = try TLSServer()
        defer { withExtendedLifetime(server) {} }
        let stranger = try Certificates(name: "localhost")
        try await self.refusal(
            self.url(server, ca: stranger.path("ca.pem")), containing: "certificate was not accepted")
        var url = self.url(server)
        url.tls = RedisTLS()
        try await self.refusal(url, containing: "certificate was not accepted")
    }

    @Test func `a certificate for another name is refused`() async throws {
        let server = try TLSServer(name: "elsewhere")
        defer { withExtendedLifetime(server) {} }
        try await self.refusal(
            self.url(server), containing: "certificate was not accepted", "hostname mismatch")
        try await self.refusal(self.url(server, host: "127.0.0.1"), containing: "IP address mismatch")
    }

    @Test func `a certificate for the address is good`() async throws {
        let server = try TLSServer(name: "127.0.0.1")
        defer { withExtendedLifetime(server) {} }
        try await withClient(patient(self.url(server, host: "127.0.0.1"))) { try await $0.ping() }
    }

    @Test func `a server that asks for certificates gets one, and refuses who has none`() async throws {
        let server = try TLSServer(asksClients: true)
        defer { withExtendedLifetime(server) {} }
        var url = self.url(server)
        try await self.refusal(url, containing: "Redis")
        url.tls?.certificateFile = server.certificates.path("server.pem")
        url.tls?.keyFile = server.certificates.path("server.key")
        try await withClient(patient(url)) { try await $0.ping() }
    }

    @Test func `files that cannot be used are named`() async throws {
        let server = try TLSServer()
        defer { withExtendedLifetime(server) {} }
        try await self.refusal(self.url(server, ca: "/nonexistent/ca.pem"), containing: "/nonexistent/ca.pem")
        var url = self.url(server)
        url.tls?.certificateFile = server.certificates.path("server.pem")
        url.tls?.keyFile = "/nonexistent/key"
        try await self.refusal(url, containing: "/nonexistent/key")
    }

    @Test func `a server that speaks no TLS, or nothing at all, is left in time`() async throws {
        let plain = try RedisProcess()
        defer { withExtendedLifetime(plain) {} }
        try await self.refusal(
            RedisURL(endpoint: plain.url.endpoint, tls: RedisTLS()), containing: "Redis is not available")
        let silent = try LyingServer(.silence)
        defer { silent.stop() }
        var configuration = patient(RedisURL(endpoint: silent.url.endpoint, tls: RedisTLS()))
        configuration.connectBudget = .milliseconds(100)
        try await withClient(configuration, isUpFirst: false) { client in
            await eventually("the silence was not noticed") {
                client.refusal?.description.contains("in time") == true
            }
        }
    }

    @Test func `sentinels and their master are spoken to over TLS`() async throws {
        let server = try TLSServer(name: "127.0.0.1")
        defer { withExtendedLifetime(server) {} }
        let files = server.certificates
        let tls = """
            tls-cert-file \(files.path("server.pem"))
            tls-key-file \(files.path("server.key"))
            tls-ca-cert-file \(files.path("ca.pem"))
            tls-auth-clients no
            tls-replication yes
            """
        let port = try freePort()
        let sentinel = try SentinelProcess(watchingPort: server.port, extra: "tls-port \(port)\n" + tls)
        defer { withExtendedLifetime(sentinel) {} }
        defer { sentinel.kill() }
        var url = sentinelURL([.init(host: "127.0.0.1", port: port)])
        url.tls = RedisTLS(authorityFile: files.path("ca.pem"))
        try await withClient(patient(url)) { try await $0.ping() }
    }
}
