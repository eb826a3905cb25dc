import ClusterModel
import FileService
import FilesHTTP
import Foundation
import HTTPDoor
import HTTPTypes
import Testing

@Suite struct FileRequestTests {
    private func request(
        _ method: String, _ target: String, _ headers: HTTPFields = [:]
    ) throws -> FileRequest {
        let method = try #require(HTTPRequest.Method(method))
        return try FileRequest(
            method: method, target: try RequestTarget(target), headers: headers, authority: "host:8080")
    }

    private func kind(_ method: String, _ target: String, _ headers: HTTPFields = [:]) -> ProblemKind? {
        do {
            _ = try self.request(method, target, headers)
            return nil
        } catch { return (error as? Problem)?.kind }
    }

    private func path(_ text: String) throws -> HomePath { try HomePath(bytes: Array(text.utf8)) }

    @Test func `an upload is understood with all its options`() throws {
        let digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
        let asked = try self.request(
            "PUT", "/files/a/b%20c?parents=true",
            [.contentLength: "5", .ifNoneMatch: "*", FileHeaders.reprDigest: digest, .expect: "100-Continue"])
        guard case .upload(let upload) = asked else {
            Issue.record("no upload")
            return
        }
        #expect(upload.path == (try self.path("a/b c")))
        #expect(upload.makesParents && !upload.replaces && upload.waits)
        #expect(upload.ifMatch == nil && upload.length == 5)
        #expect(
            upload.digests.sha256
                == Digest(hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    }

    @Test func `what changes files is guarded by tags, and a time alone is refused`() throws {
        let time = "Mon, 23 Nov 2026 12:00:00 GMT"
        for method in ["PUT", "DELETE", "MOVE", "COPY"] {
            let fields: HTTPFields = [
                .contentLength: "5", .ifUnmodifiedSince: time, FileHeaders.destination: "/files/b",
            ]
            #expect(self.kind(method, "/files/a", fields) == .invalidHeader, "\(method)")
            var guarded = fields
            guarded[.ifMatch] = "\"x\""
            #expect(self.kind(method, "/files/a", guarded) == nil, "\(method)")
        }
    }

    @Test func `a body in chunks has no length`() throws {
        guard case .upload(let upload) = try self.request("PUT", "/files/a", [.transferEncoding: "chunked"])
        else {
            Issue.record("no upload")
            return
        }
        #expect(upload.length == nil)
        #expect(self.kind("PUT", "/files/a") == .lengthRequired)
        #expect(self.kind("PUT", "/files/a", [.transferEncoding: "Chunked"]) == nil)
        #expect(self.kind("PUT", "/files/a", [.transferEncoding: "gzip, chunked"]) == .unsupportedMediaType)
    }

    @Test(arguments: [
        "/files/..", "/files/a/../b", "/files/%2e%2e/b", "/files/./a", "/files/a%00b", "/files/a%0ab",
        "/files//a",
        "/files/a//b", "/files/\(String(repeating: "n", count: 300))", "/files/%2f",
        "/files/\(Array(repeating: "12345678", count: 500).joined(separator: "/"))",
    ])
    func `a path that is none is malformed`(target: String) {
        #expect(self.kind("GET", target) == .malformedPath)
        #expect(self.kind("PUT", target, [.contentLength: "0"]) == .malformedPath)
    }

    @Test func `a name of 255 bytes is one`() throws {
        let name = String(repeating: "n", count: 255)
        #expect(self.kind("GET", "/files/\(name)") == nil)
    }

    @Test func `an upload to a folder's address is refused`() {
        #expect(self.kind("PUT", "/files/a/", [.contentLength: "0"]) == .malformedPath)
    }

    @Test func `unknown parameters are refused by every method`() {
        #expect(self.kind("PUT", "/files/a?parent=true", [.contentLength: "0"]) == .unknownParameter)
        #expect(self.kind("GET", "/files/a?parents=true") == .unknownParameter)
        #expect(self.kind("DELETE", "/files/a?recursive=yes") == .invalidParameter)
        #expect(self.kind("MOVE", "/files/a?x=1", [FileHeaders.destination: "/files/b"]) == .unknownParameter)
        #expect(self.kind("GET", "/files/?limit=0") == .invalidParameter)
        #expect(self.kind("GET", "/files/?limit=10001") == .invalidParameter)
        #expect(self.kind("GET", "/files/?cursor=!") == .invalidParameter)
    }

    @Test func `headers that would be misunderstood are refused`() {
        #expect(
            self.kind("PUT", "/files/a", [.contentLength: "1", .contentRange: "bytes 0-0/1"])
                == .invalidHeader)
        #expect(
            self.kind("PUT", "/files/a", [.contentLength: "1", .contentEncoding: "gzip"])
                == .unsupportedMediaType)
        #expect(self.kind("PUT", "/files/a", [.contentLength: "1", .ifNoneMatch: "\"x\""]) == .invalidHeader)
        #expect(self.kind("PUT", "/files/a", [.contentLength: "1", .expect: "200-ok"]) == .expectationFailed)
        #expect(
            self.kind("PUT", "/files/a", [.contentLength: "1", FileHeaders.contentDigest: "sha-256=x"])
                == .invalidHeader)
        #expect(self.kind("POST", "/files/a") == .methodNotAllowed)
    }

    @Test func `a move's destination is a path or an address of this server`() throws {
        let expected = FileRequest.move(
            try self.path("a"), to: try self.path("b c"), ifMatch: nil, mustBeFolder: false)
        #expect(try self.request("MOVE", "/files/a", [FileHeaders.destination: "/files/b%20c"]) == expected)
        #expect(
            try self.request("MOVE", "/files/a", [FileHeaders.destination: "http://host:8080/files/b%20c"])
                == expected)
        #expect(
            self.kind("MOVE", "/files/a", [FileHeaders.destination: "http://other/files/b"]) == .invalidHeader
        )
        #expect(self.kind("MOVE", "/files/a", [FileHeaders.destination: "/etc/b"]) == .invalidHeader)
        #expect(self.kind("MOVE", "/files/a", [FileHeaders.destination: "/files/../b"]) == .malformedPath)
        #expect(self.kind("MOVE", "/files/a") == .invalidHeader)
        #expect(
            self.kind(
                "MOVE", "/files/a", [FileHeaders.destination: "/files/b", FileHeaders.overwrite: "yes"])
                == .invalidHeader)
    }

    @Test func `a copy replaces only when that is said outright, and takes folders whole`() throws {
        func copy(_ target: String, _ headers: HTTPFields) throws -> CopyOptions? {
            var headers = headers
            headers[FileHeaders.destination] = "/files/b"
            guard case .copy(_, _, let options) = try self.request("COPY", target, headers) else {
                return nil
            }
            return options
        }
        #expect(try copy("/files/a", [:]) == CopyOptions())
        #expect(try copy("/files/a", [FileHeaders.overwrite: "F"])?.replaces == false)
        #expect(try copy("/files/a", [FileHeaders.overwrite: "T"])?.replaces == true)
        #expect(try copy("/files/a/", [.ifMatch: "\"x\""])?.mustBeFolder == true)
        #expect(try copy("/files/a", [FileHeaders.depth: "infinity"]) != nil)
        #expect(
            self.kind("COPY", "/files/a", [FileHeaders.destination: "/files/b", FileHeaders.depth: "0"])
                == .invalidHeader)
        #expect(self.kind("COPY", "/files/a") == .invalidHeader)
    }

    @Test func `a folder is wanted as an archive by its query or by what is accepted`() throws {
        func archive(_ target: String, _ headers: HTTPFields = [:]) throws -> [Bool] {
            guard case .read(_, _, let listing) = try self.request("GET", target, headers) else { return [] }
            return [listing.asArchive, listing.isCertain]
        }
        #expect(try archive("/files/a?archive=zip") == [true, true])
        #expect(try archive("/files/a", [.accept: "text/html, application/zip;q=0.9"]) == [true, false])
        #expect(try archive("/files/a", [.accept: "application/zip;q=0"]) == [false, false])
        #expect(try archive("/files/a?limit=5", [.accept: "application/zip"]) == [false, true])
        #expect(self.kind("GET", "/files/a?archive=tar") == .invalidParameter)
    }

    @Test func `credentials are read from both schemes`() {
        let basic = Data("alice:pä:ss".utf8).base64EncodedString()
        #expect(
            Credentials(authorization: "Basic \(basic)") == .password(account: "alice", password: "pä:ss"))
        #expect(Credentials(authorization: "bearer flk_x") == .key("flk_x"))
        for bad in [nil, "", "Basic", "Basic !!!", "Basic YWxpY2U=", "Digest x"] as [String?] {
            #expect(Credentials(authorization: bad) == nil)
        }
    }

    private static func request(
        _ method: HTTPRequest.Method, _ fields: [(HTTPField.Name, String)]
    ) -> HTTPRequest {
        var headers: HTTPFields = [:]
        for (name, value) in fields { headers[name] = value }
        return HTTPRequest(method: method, scheme: "http", authority: "x", path: "/", headerFields: headers)
    }

    @Test func `a cookie counts for links, and for what our page asks, and for nothing else`() {
        let cookie = (HTTPField.Name.cookie, "a=b; flotilla-session=s1.1.2.alice; c=d")
        let page = (PageHeaders.page, "1")
        func counts(_ method: HTTPRequest.Method, _ fields: (HTTPField.Name, String)...) -> Bool {
            Credentials(Self.request(method, [cookie] + fields)) == .session("s1.1.2.alice")
        }
        #expect(counts(.get) && counts(.get, (PageHeaders.fetchSite, "none")))
        for method in [HTTPRequest.Method.head, .put, .post, .patch, .delete] {
            #expect(!counts(method) && counts(method, page))
            #expect(!counts(method, (PageHeaders.fetchSite, "same-origin")))
        }
        #expect(counts(.patch, page, (PageHeaders.fetchSite, "same-origin")))
        for site in ["same-site", "cross-site", "nonsense"] {
            #expect(!counts(.get, (PageHeaders.fetchSite, site)))
            #expect(!counts(.patch, page, (PageHeaders.fetchSite, site)))
        }
        // A page that shows somebody else is not meant.
        let signature = String(repeating: "0a", count: 32)
        let bob = (HTTPField.Name.cookie, "flotilla-session=s1.99.\(signature).bob.x")
        for (shown, isMeant) in [("bob.x", true), ("1", true), ("bob", false), ("alice", false), ("", false)]
        {
            let asked = Self.request(.get, [bob, (PageHeaders.page, shown)])
            #expect((Credentials(asked) != nil) == isMeant, "\(shown)")
        }
        // Who says who he is means it, also where it cannot be read.
        #expect(Credentials(Self.request(.get, [cookie, (.authorization, "Bearer flk_x")])) == .key("flk_x"))
        #expect(Credentials(Self.request(.get, [cookie, (.authorization, "Digest x")])) == nil)
        #expect(Credentials(Self.request(.get, [(.cookie, "flotilla-session")])) == nil)
    }

    @Test func `dates look as HTTP wants them`() {
        #expect(HTTPDate.text(seconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDate.text(seconds: 0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(HTTPDate.text(seconds: 1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }
}
