import HTTPDoor
import NIOCore
import Testing

@Suite struct PlainRequestTests {
    private static let host = "Host: files.example\r\n"

    private static func read(_ text: String) -> PlainRequest? { PlainRequest(ByteBuffer(string: text)) }

    @Test func `the head that a program sends is read`() throws {
        let request = try #require(
            Self.read(
                """
                GET /files/a%20b.txt HTTP/1.1\r
                hOST: files.example\r
                User-Agent: curl/7.88.1\r
                Accept: */*\r
                AUTHORIZATION: \t Basic YWxpY2U6eA== \t\r
                X-Forwarded-For: 192.0.2.1\r
                Connection: Keep-Alive\r
                \r

                """))
        #expect(Array(request.path) == Array("/files/a%20b.txt".utf8))
        #expect(request.authorization == Array("Basic YWxpY2U6eA==".utf8))
        #expect(request.forwardedFor == "192.0.2.1")
        #expect(Self.read("GET / HTTP/1.1\r\n\(Self.host)\r\n") != nil)
    }

    @Test(arguments: [
        "", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\(Self.host)\r\n", "GET / HTTP/1.0\r\n\(Self.host)\r\n",
        "GET  / HTTP/1.1\r\n\(Self.host)\r\n", "GET x HTTP/1.1\r\n\(Self.host)\r\n",
        "GET http://x/ HTTP/1.1\r\n\(Self.host)\r\n", "GET /?a=b HTTP/1.1\r\n\(Self.host)\r\n",
        "GET /#a HTTP/1.1\r\n\(Self.host)\r\n", "GET /ä HTTP/1.1\r\n\(Self.host)\r\n",
        "\r\nGET / HTTP/1.1\r\n\(Self.host)\r\n", "GET / HTTP/1.1\n\(Self.host)\r\n",
    ])
    func `another line of request is left alone`(text: String) { #expect(Self.read(text) == nil) }

    @Test(arguments: [
        "Content-Length: 0", "Content-Length: 5", "Transfer-Encoding: chunked", "Expect: 100-continue",
        "Upgrade: h2c", "Range: bytes=0-1", "If-None-Match: *", "If-Range: x", "Want-Repr-Digest: sha-256=1",
        "Cookie: a=b", "Connection: close", "Connection: keep-alive, upgrade", "Host: other",
        "Authorization : x", " Authorization: x", "Authorization\u{0}: x", "Authorization: a\u{0}b",
        "Authorization: \u{7F}", "Authorization: ä", "Authorization: a\r\n b", "Authorization: a\rb",
        "Authorization: a\nb", "Authorization", ": x", "X-Anything: x",
    ])
    func `a field that could mean more is left alone`(field: String) {
        #expect(Self.read("GET / HTTP/1.1\r\n\(Self.host)\(field)\r\n\r\n") == nil)
    }

    @Test(arguments: ["Host: b", "Authorization: b", "X-Forwarded-For: b"])
    func `a field that counts is there once`(field: String) {
        let lines = "Host: a\r\nAuthorization: a\r\nX-Forwarded-For: a\r\n"
        #expect(Self.read("GET / HTTP/1.1\r\n\(lines)\r\n") != nil)
        #expect(Self.read("GET / HTTP/1.1\r\n\(lines)\(field)\r\n\r\n") == nil)
    }

    @Test func `nothing but one whole head of a bounded length will do`() {
        let text = "GET / HTTP/1.1\r\n\(Self.host)Accept: */*\r\n\r\n"
        #expect(Self.read(text) != nil)
        for count in 0..<text.utf8.count {
            #expect(PlainRequest(ByteBuffer(bytes: text.utf8.prefix(count))) == nil)
        }
        #expect(Self.read(text + "G") == nil)
        #expect(Self.read(text + text) == nil)
        func padded(_ count: Int) -> String {
            "GET /\(String(repeating: "a", count: count)) HTTP/1.1\r\n\(Self.host)\r\n"
        }
        let rest = padded(0).utf8.count
        #expect(Self.read(padded(PlainRequest.bytesMax - rest)) != nil)
        #expect(Self.read(padded(PlainRequest.bytesMax - rest + 1)) == nil)
    }
}
