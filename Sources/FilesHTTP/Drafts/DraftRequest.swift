package import ClusterModel
import Foundation
package import HTTPDoor
package import HTTPTypes

/// What a request in the draft's words asks for, once its target, method and header fields are understood.
package enum DraftRequest: Sendable, Equatable {
    case create(Creation)
    case status(UploadID)
    case append(UploadID, Piece)
    case abort(UploadID)

    package struct Creation: Sendable, Equatable {
        package var path: HomePath
        package var makesParents: Bool
        package var replaces: Bool
        /// Of the whole file.
        package var digest: Digest?
        package var first: Piece
    }

    /// Bytes that come with a request.
    package struct Piece: Sendable, Equatable {
        package var offset: Int64
        /// Of the whole upload, where it is said or follows.
        package var length: Int64?
        /// Whether this body's end is the upload's.
        package var completes: Bool
        /// Of this body; nil for one in chunks.
        package var bodyLength: Int64?
        /// Of this body.
        package var checksum: TusChecksum?
        /// The client waits for `100 Continue` before it sends the body.
        package var waits: Bool
    }

    static let allowed = "HEAD, PATCH, DELETE, OPTIONS"

    /// Whether a request is one.
    ///
    /// A whole body in a version that is not spoken here is an ordinary upload, as for a server that knows no draft; a
    /// part of one would be kept as if it were the file, and is refused.
    package static func isMeant(
        method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields
    ) -> Bool {
        guard let first = target.components.first, headers[TusHeaders.resumable] == nil, method != .options
        else { return false }
        if first.elementsEqual(TusHeaders.prefix.utf8) {
            return headers[DraftHeaders.version] != nil || headers[DraftHeaders.complete] != nil
        }
        guard first.elementsEqual("files".utf8), method == .put || method == .post,
            let isComplete = DraftHeaders.complete(headers)
        else { return false }
        return !isComplete || DraftHeaders.spoken(headers) != nil
    }
}

extension DraftRequest {
    /// - Parameter target: Its first component is `files` or `uploads`.
    package init(method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields) throws(Problem) {
        guard DraftHeaders.spoken(headers) != nil else {
            throw DraftProblems.version(headers[DraftHeaders.version])
        }
        var query = try QueryReader(target.query)
        if target.components.first?.elementsEqual("files".utf8) == true {
            self = .create(try Self.creation(method, target, headers, &query))
        } else {
            let upload = try TusRequest.upload(target)
            switch method {
            case .head: self = .status(upload)
            case .patch: self = .append(upload, try Self.append(headers))
            case .delete: self = .abort(upload)
            default: throw Problem.methodNotAllowed(method, allowed: Self.allowed)
            }
        }
        try query.finish()
    }

    // MARK: - Creating

    private static func creation(
        _ method: HTTPRequest.Method, _ target: RequestTarget, _ headers: HTTPFields,
        _ query: inout QueryReader
    ) throws(Problem) -> Creation {
        guard headers[.ifMatch] == nil else {
            throw TusHeaders.invalid(.ifMatch, headers[.ifMatch], "an upload in pieces cannot ask for a tag")
        }
        let noneMatch = try FileHeaders.tags(.ifNoneMatch, headers)
        guard noneMatch == nil || noneMatch == .any else {
            throw TusHeaders.invalid(.ifNoneMatch, headers[.ifNoneMatch], "with an upload it can only be *")
        }
        for name in [HTTPField.Name.contentRange, .contentEncoding] {
            guard let value = headers[name], value.lowercased() != "identity" else { continue }
            throw TusHeaders.invalid(name, value, "files are kept as they are, from their first byte on")
        }
        let completes = DraftHeaders.complete(headers) ?? false
        var piece = try Self.piece(headers, at: 0, completes)
        let digest = try AnnouncedDigests(headers).sha256
        // Of a whole body all digests say the same; of a first part only that of this body.
        if completes { piece.checksum = nil }
        return Creation(
            path: try Self.path(method, target, headers), makesParents: try query.flag("parents"),
            replaces: noneMatch == nil, digest: completes ? digest : try Self.whole(headers), first: piece)
    }

    private static func whole(_ headers: HTTPFields) throws(Problem) -> Digest? {
        var alone: HTTPFields = [:]
        alone[FileHeaders.reprDigest] = headers[FileHeaders.reprDigest]
        return try AnnouncedDigests(alone).sha256
    }

    /// The path itself; for a POST to a folder, the file that `Content-Disposition` names in it.
    private static func path(
        _ method: HTTPRequest.Method, _ target: RequestTarget, _ headers: HTTPFields
    ) throws(Problem) -> HomePath {
        let path = try FileRequest.path(target)
        guard target.endsWithSlash, !path.isHome || method == .post else { return path }
        guard method == .post else {
            throw Problem(
                .badRequest, .malformedPath,
                "the path ends with a slash, so it names a folder; MKCOL makes folders")
        }
        guard let name = headers[.contentDisposition].flatMap({ FileNameHeader.name($0) }) else {
            throw TusHeaders.invalid(
                .contentDisposition, headers[.contentDisposition],
                "an upload into a folder needs a file name in it")
        }
        guard !name.contains(UInt8(ascii: "/")) else {
            throw Problem(
                .badRequest, .malformedPath,
                "the file name “\(String(decoding: name, as: UTF8.self))” has a slash")
        }
        do { return try path.appending(name) } catch { throw FileProblems.malformed(error) }
    }

    // MARK: - Bodies

    private static func append(_ headers: HTTPFields) throws(Problem) -> Piece {
        let type = headers[.contentType] ?? ""
        guard type.lowercased() == DraftHeaders.contentType else {
            throw Problem(
                .unsupportedMediaType, .unsupportedMediaType,
                "what goes on with an upload has the type \(DraftHeaders.contentType), not “\(type)”"
            ).with(header: DraftHeaders.acceptPatch, DraftHeaders.contentType)
        }
        guard let offset = DraftHeaders.number(TusHeaders.offset, headers) else {
            throw TusHeaders.invalid(
                TusHeaders.offset, headers[TusHeaders.offset], "it says where the bytes belong")
        }
        guard let completes = DraftHeaders.complete(headers) else {
            throw TusHeaders.invalid(
                DraftHeaders.complete, headers[DraftHeaders.complete], "say ?1 with the last bytes, or ?0")
        }
        return try Self.piece(headers, at: offset, completes)
    }

    private static func piece(
        _ headers: HTTPFields, at offset: Int64, _ completes: Bool
    ) throws(Problem) -> Piece {
        let bodyLength = try TusRequest.bodyLength(headers)
        var length = DraftHeaders.number(TusHeaders.length, headers)
        if completes, let bodyLength {
            let (end, overflows) = offset.addingReportingOverflow(bodyLength)
            guard !overflows, length == nil || length == end else {
                throw DraftProblems.inconsistentLength(
                    "Upload-Length does not fit the \(bodyLength) bytes at \(offset) that are the last ones")
            }
            length = end
        }
        var checksum: TusChecksum?
        if headers[FileHeaders.contentDigest] != nil {
            var alone: HTTPFields = [:]
            alone[FileHeaders.contentDigest] = headers[FileHeaders.contentDigest]
            checksum = try AnnouncedDigests(alone).sha256.map { TusChecksum($0) }
        }
        return Piece(
            offset: offset, length: length, completes: completes, bodyLength: bodyLength, checksum: checksum,
            waits: try FileRequest.waits(headers))
    }
}
