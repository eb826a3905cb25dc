import ClusterModel
import FileService
import FilesHTTP
import Foundation
import HTTPDoor
import HTTPTypes
import NIOCore
import Testing

@Suite struct TusRequestTests {
    private static let id = "0198d2a0-0000-7000-8000-0000000000aa"
    private static let type: HTTPFields = [.contentType: TusHeaders.contentType, .contentLength: "3"]

    private func request(
        _ method: String, _ target: String, _ headers: HTTPFields = [:], version: String? = "1.0.0"
    ) throws -> TusRequest {
        var all = headers
        all[TusHeaders.resumable] = version
        let method = try #require(HTTPRequest.Method(method))
        return try TusRequest(method: method, target: try RequestTarget(target), headers: all)
    }

    private func problem(
        _ method: String, _ target: String, _ headers: HTTPFields = [:], version: String? = "1.0.0"
    ) -> Problem? {
        do {
            _ = try self.request(method, target, headers, version: version)
            return nil
        } catch { return error as? Problem }
    }

    private func creation(_ target: String, _ headers: HTTPFields) throws -> TusRequest.Creation? {
        guard case .create(let creation) = try self.request("POST", target, headers) else { return nil }
        return creation
    }

    @Test func `what speaks tus is told by its address or its header`() throws {
        func isMeant(_ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields) throws -> Bool {
            TusRequest.isMeant(method: method, target: try RequestTarget(target), headers: headers)
        }
        let tus: HTTPFields = [TusHeaders.resumable: "1.0.0"]
        #expect(try isMeant(.post, "/files/a", tus) && isMeant(.head, "/uploads/x", [:]))
        #expect(try !isMeant(.post, "/files/a", [:]) && !isMeant(.put, "/files/a", tus))
        #expect(try !isMeant(.get, "/", tus) && !isMeant(.post, "/other/a", tus))
        #expect(try !isMeant(.get, "/files/uploads/x", tus))
    }

    @Test(arguments: [nil, "0.2.2", "1.0.0, 1.0.0"])
    func `another version is refused with ours`(version: String?) {
        let problem = self.problem("HEAD", "/uploads/\(Self.id)", version: version)
        #expect(problem?.status.code == 412 && problem?.kind == .unsupportedVersion)
        #expect(problem?.headers[TusHeaders.versions] == "1.0.0")
    }

    @Test func `a creation is understood with all its options`() throws {
        let creation = try self.creation(
            "/files/in/a.txt?parents=true",
            [TusHeaders.length: "100", .ifNoneMatch: "*", TusHeaders.metadata: "name YQ==,is_secret"])
        #expect(creation?.path == (try HomePath(bytes: Array("in/a.txt".utf8))))
        #expect(creation?.length == 100 && creation?.metadata == "name YQ==,is_secret")
        #expect(creation?.makesParents == true && creation?.replaces == false && creation?.first == nil)
    }

    @Test func `a folder gets the file of the metadata's name`() throws {
        func path(_ target: String, _ metadata: String) throws -> String? {
            let headers: HTTPFields = [TusHeaders.length: "1", TusHeaders.metadata: metadata]
            return try self.creation(target, headers)?.path?.description
        }
        #expect(try path("/files/in/", "filename cmVwb3J0LnR4dA==") == "/in/report.txt")
        #expect(try path("/files/", "name cmVwb3J0LnR4dA==,filename w7wudHh0") == "/ü.txt")
        // Where the address names a file, the metadata says nothing.
        #expect(try path("/files/x", "filename cmVwb3J0LnR4dA==") == "/x")
        for (metadata, kind) in [
            ("filename YS9i", ProblemKind.malformedPath), ("filename Li4=", .malformedPath),
            ("filename", .malformedPath), ("", .invalidHeader), ("filetype YQ==", .invalidHeader),
        ] {
            let problem = self.problem(
                "POST", "/files/in/", [TusHeaders.length: "1", TusHeaders.metadata: metadata])
            #expect(problem?.kind == kind, "\(metadata)")
        }
    }

    @Test func `a length is said now or promised, and never both`() throws {
        #expect(try self.creation("/files/a", [TusHeaders.deferLength: "1"])?.length == nil)
        let wrong: [HTTPFields] = [
            [:], [TusHeaders.deferLength: "0"], [TusHeaders.length: "1", TusHeaders.deferLength: "1"],
            [TusHeaders.length: "-1"], [TusHeaders.length: "+1"], [TusHeaders.length: "1.5"],
            [TusHeaders.length: "9223372036854775808"], [TusHeaders.length: ""],
        ]
        for headers in wrong {
            #expect(self.problem("POST", "/files/a", headers)?.kind == .invalidHeader, "\(headers)")
        }
    }

    @Test(arguments: [
        "filename !", "a YQ==,a YQ==", "a b c", "ü YQ==", String(repeating: "a", count: 4_097),
    ])
    func `metadata that is none is refused`(text: String) {
        let problem = self.problem("POST", "/files/a", [TusHeaders.length: "1", TusHeaders.metadata: text])
        #expect(problem?.kind == .invalidHeader)
    }

    @Test func `the first bytes may come along`() throws {
        var headers = Self.type
        headers[TusHeaders.length] = "10"
        headers[TusHeaders.checksum] = "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
        let first = try self.creation("/files/a", headers)?.first
        #expect(first?.offset == 0 && first?.bodyLength == 3 && first?.checksum?.algorithm == .sha1)
        headers[.contentType] = "text/plain"
        #expect(self.problem("POST", "/files/a", headers)?.status.code == 415)
        // Without bytes the type does not matter.
        headers[.contentLength] = "0"
        #expect(try self.creation("/files/a", headers)?.first == nil)
    }

    @Test func `a piece says where it belongs`() throws {
        var headers = Self.type
        headers[TusHeaders.offset] = "7"
        headers[TusHeaders.length] = "10"
        headers[.expect] = "100-continue"
        guard case .append(let id, let piece) = try self.request("PATCH", "/uploads/\(Self.id)", headers)
        else {
            Issue.record("no piece")
            return
        }
        #expect(id.description == Self.id)
        #expect(piece.offset == 7 && piece.length == 10 && piece.bodyLength == 3 && piece.waits)
        headers[TusHeaders.offset] = nil
        #expect(self.problem("PATCH", "/uploads/\(Self.id)", headers)?.kind == .invalidHeader)
        headers[TusHeaders.offset] = "x"
        #expect(self.problem("PATCH", "/uploads/\(Self.id)", headers)?.kind == .invalidHeader)
        headers[TusHeaders.offset] = "7"
        headers[.contentType] = "application/octet-stream"
        #expect(self.problem("PATCH", "/uploads/\(Self.id)", headers)?.kind == .unsupportedMediaType)
    }

    @Test func `POST may stand in for the other methods`() throws {
        let target = "/uploads/\(Self.id)"
        let id = UploadID(try #require(UUID(uuidString: Self.id)))
        #expect(try self.request("POST", target, [TusHeaders.methodOverride: "HEAD"]) == .status(id))
        #expect(try self.request("POST", target, [TusHeaders.methodOverride: "DELETE"]) == .abort(id))
        // A harmless method stays what it is.
        #expect(try self.request("HEAD", target, [TusHeaders.methodOverride: "DELETE"]) == .status(id))
        let elsewhere = self.problem("POST", "/files/a", [TusHeaders.methodOverride: "DELETE"])
        #expect(elsewhere?.kind == .invalidHeader)
    }

    @Test func `other methods, addresses and parameters are refused`() {
        let target = "/uploads/\(Self.id)"
        for method in ["GET", "POST", "PUT"] {
            let problem = self.problem(method, target)
            #expect(problem?.status.code == 405, "\(method)")
            #expect(problem?.headers[.allow] == TusHeaders.allowed)
        }
        for target in ["/uploads", "/uploads/", "/uploads/x", "/uploads/\(Self.id)/x"] {
            #expect(self.problem("HEAD", target)?.status.code == 404, "\(target)")
        }
        #expect(self.problem("HEAD", target + "?x=1")?.kind == .unknownParameter)
        #expect(
            self.problem("POST", "/files/a", [TusHeaders.length: "1", TusHeaders.concat: "whole"])?.kind
                == .invalidHeader)
    }

    @Test(arguments: [
        "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "md5 kAFQmDzST7DWlj99KOF/cg==",
        "sha256 ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
    ])
    func `a checksum adds up, in pieces too`(text: String) throws {
        let checksum = try TusChecksum(text)
        var running = RunningChecksum(checksum.algorithm)
        running.add(ByteBuffer(string: "a"))
        #expect(running.value != checksum.value)
        running.add(ByteBuffer(string: "bc"))
        #expect(running.value == checksum.value)
    }

    @Test(arguments: ["sha1", "sha1 x", "sha1 YQ==", "crc32 YQ==", "SHA1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0="])
    func `a checksum that is none is refused`(text: String) {
        #expect(throws: Problem.self) { try TusChecksum(text) }
    }

    @Test(
        arguments: [
            (.notFound, 404, .notFound), (.ended(reason: "x"), 410, .uploadEnded),
            (.wrongOffset(durable: 7), 409, .wrongOffset), (.wrongLength(7), 400, .invalidHeader),
            (.tooLong(length: 7), 413, .bodyTooLong), (.taken, 423, .busy),
            (.file(.denied), 401, .unauthorized), (.file(.full), 507, .full),
            (.file(.notServing(reason: "x", retryAfterSeconds: 1)), 503, .notServing),
        ] as [(UploadError, Int, ProblemKind)])
    func `each error has its status and type`(error: UploadError, status: Int, kind: ProblemKind) {
        let problem = TusProblems.problem(error)
        #expect(problem.status.code == status && problem.kind == kind)
        // What passes is never an answer that makes a client forget its upload.
        if TusProblems.isPassing(error) { #expect(status == 423 || status >= 500) }
    }

    @Test func `parts are named by their addresses, however those are written`() throws {
        let id = UploadID(try #require(UUID(uuidString: Self.id)))
        for address in [
            "/uploads/\(Self.id)", "https://a.example:8080/uploads/\(Self.id)", "/x/uploads/\(Self.id)",
        ] {
            #expect(try TusConcat("final;\(address)") == .final([id]), "\(address)")
        }
        #expect(
            try TusConcat("partial") == .partial && TusConcat.final([id]).text == "final;/uploads/\(Self.id)")
        for text in [
            "final;http://a", "final;/uploads/x", "final; ", "Partial", "final;/uploads/\(Self.id)/x",
        ] {
            #expect(throws: Problem.self, "\(text)") { try TusConcat(text) }
        }
        let many = (0..<501).map { _ in "/uploads/\(UUID().uuidString)" }.joined(separator: " ")
        #expect(throws: Problem.self) { try TusConcat("final;" + many) }
    }
}
