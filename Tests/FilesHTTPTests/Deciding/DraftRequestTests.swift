import ClusterModel
import FilesHTTP
import Foundation
import HTTPDoor
import HTTPTypes
import Testing

@Suite struct DraftRequestTests {
    private static let id = "0198d2a0-0000-7000-8000-0000000000aa"

    private func request(
        _ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields, version: String? = "8"
    ) throws -> DraftRequest {
        var all = headers
        all[DraftHeaders.version] = version
        return try DraftRequest(method: method, target: try RequestTarget(target), headers: all)
    }

    private func creation(
        _ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields
    ) throws -> DraftRequest.Creation? {
        guard case .create(let creation) = try self.request(method, target, headers) else { return nil }
        return creation
    }

    private func problem(
        _ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields, version: String? = "8"
    ) -> Problem? {
        do {
            _ = try self.request(method, target, headers, version: version)
            return nil
        } catch { return error as? Problem }
    }

    @Test func `what speaks the draft is told by its header fields`() throws {
        func isMeant(_ method: HTTPRequest.Method, _ target: String, _ headers: HTTPFields) throws -> Bool {
            DraftRequest.isMeant(method: method, target: try RequestTarget(target), headers: headers)
        }
        let known: HTTPFields = [DraftHeaders.version: "6", DraftHeaders.complete: "?1"]
        let unknown: HTTPFields = [DraftHeaders.version: "3", DraftHeaders.complete: "?1"]
        #expect(try isMeant(.put, "/files/a", known) && isMeant(.post, "/files/a", known))
        #expect(try !isMeant(.put, "/files/a", unknown))
        #expect(try isMeant(.put, "/files/a", [DraftHeaders.complete: "?0"]))
        #expect(try !isMeant(.put, "/files/a", [DraftHeaders.version: "8"]))
        #expect(try !isMeant(.put, "/files/a", [DraftHeaders.complete: "1", DraftHeaders.version: "8"]))
        #expect(try isMeant(.head, "/uploads/x", [DraftHeaders.version: "8"]))
        #expect(try !isMeant(.head, "/uploads/x", [:]) && !isMeant(.options, "/uploads/x", known))
        var tus = known
        tus[TusHeaders.resumable] = "1.0.0"
        #expect(try !isMeant(.post, "/files/a", tus))
    }

    @Test func `the length follows from a last body, or is said`() throws {
        let whole: HTTPFields = [DraftHeaders.complete: "?1", .contentLength: "5"]
        #expect(try self.creation(.put, "/files/a", whole)?.first.length == 5)
        var both = whole
        both[TusHeaders.length] = "5"
        #expect(try self.creation(.put, "/files/a", both)?.first.length == 5)
        both[TusHeaders.length] = "6"
        #expect(self.problem(.put, "/files/a", both)?.status == .badRequest)
        let part: HTTPFields = [
            DraftHeaders.complete: "?0", .contentLength: "5", TusHeaders.length: "9;x=1",
        ]
        #expect(try self.creation(.put, "/files/a", part)?.first.length == 9)
        let chunks: HTTPFields = [DraftHeaders.complete: "?1", .transferEncoding: "chunked"]
        let first = try self.creation(.put, "/files/a", chunks)?.first
        #expect(first?.length == nil && first?.bodyLength == nil && first?.completes == true)
        // What is no integer is as if it were not there.
        for text in ["-1", "1.5", "\"5\"", "9999999999999999"] {
            var odd = part
            odd[TusHeaders.length] = text
            #expect(try self.creation(.put, "/files/a", odd)?.first.length == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("inline; filename=\"a b;c.txt\"", "a b;c.txt"), ("attachment; filename=a.txt", "a.txt"),
        ("inline; filename=\"x\"; filename*=UTF-8''%C3%A4.txt", "ä.txt"),
        ("inline; filename=\"a\\\"b\"", "a\"b"), ("form-data; name=x; FileName = y ", "y"),
    ])
    func `a file in a folder has the name of its disposition`(text: String, name: String) throws {
        let headers: HTTPFields = [
            DraftHeaders.complete: "?1", .contentLength: "1", .contentDisposition: text,
        ]
        let path = try self.creation(.post, "/files/in/", headers)?.path
        #expect(path == (try HomePath(bytes: Array("in/\(name)".utf8))))
    }

    @Test func `what cannot be understood is named`() throws {
        let whole: HTTPFields = [DraftHeaders.complete: "?1", .contentLength: "1"]
        #expect(self.problem(.post, "/files/in/", whole)?.fields["header"] == "content-disposition")
        #expect(self.problem(.put, "/files/in/", whole)?.kind == .malformedPath)
        var slash = whole
        slash[.contentDisposition] = "inline; filename=\"../a\""
        #expect(self.problem(.post, "/files/in/", slash)?.kind == .malformedPath)
        var tag = whole
        tag[.ifMatch] = "\"a\""
        #expect(self.problem(.put, "/files/a", tag)?.fields["header"] == "if-match")
        let upload = "/uploads/\(Self.id)"
        let piece: HTTPFields = [
            .contentType: DraftHeaders.contentType, TusHeaders.offset: "3", DraftHeaders.complete: "?0",
            .contentLength: "1",
        ]
        #expect(self.problem(.patch, upload, piece) == nil)
        for name in [TusHeaders.offset, DraftHeaders.complete] {
            var odd = piece
            odd[name] = "x"
            #expect(self.problem(.patch, upload, odd)?.fields["header"] == name.canonicalName)
        }
        #expect(self.problem(.get, upload, piece)?.status == .methodNotAllowed)
        #expect(self.problem(.patch, upload, piece, version: "7")?.kind == .unsupportedVersion)
        #expect(self.problem(.head, "/uploads/x", [:])?.status == .notFound)
    }
}
