package import ClusterModel
import Foundation
package import HTTPDoor
package import HTTPTypes

/// What a request in tus 1.0 asks for, once its target, method and header fields are understood.
package enum TusRequest: Sendable, Equatable {
    case create(Creation)
    case status(UploadID)
    case append(UploadID, Piece)
    case abort(UploadID)

    package struct Creation: Sendable, Equatable {
        /// Nil for a partial one.
        package var path: HomePath?
        /// What it is put together from; empty where the client sends the bytes.
        package var parts: [UploadID]
        /// In bytes; nil when it is said later, or follows from the parts.
        package var length: Int64?
        /// As it was said.
        package var metadata: String
        package var makesParents: Bool
        package var replaces: Bool
        /// The first bytes, where they come with it.
        package var first: Piece?
    }

    /// Bytes that come with a request.
    package struct Piece: Sendable, Equatable {
        package var offset: Int64
        /// Of the whole upload, where it is said here.
        package var length: Int64?
        /// Of this body; nil for one in chunks.
        package var bodyLength: Int64?
        package var checksum: TusChecksum?
        /// The client waits for `100 Continue` before it sends the body.
        package var waits: Bool
    }

    /// Whether a request is one: by its address, or by what it says it speaks.
    package static func isMeant(
        method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields
    ) -> Bool {
        guard let first = target.components.first else { return false }
        if first.elementsEqual(TusHeaders.prefix.utf8) { return true }
        return method == .post && headers[TusHeaders.resumable] != nil && first.elementsEqual("files".utf8)
    }
}

extension TusRequest {
    /// - Parameter target: Its first component is `files` or `uploads`.
    package init(
        method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields
    ) throws(Problem) {
        guard headers[TusHeaders.resumable] == TusHeaders.version else {
            throw TusProblems.version(headers[TusHeaders.resumable])
        }
        var query = try QueryReader(target.query)
        // For clients behind proxies that let only GET and POST through.
        let name = method == .post ? headers[TusHeaders.methodOverride] ?? "POST" : method.rawValue
        if target.components.first?.elementsEqual("files".utf8) == true {
            guard name == "POST" else {
                throw TusHeaders.invalid(
                    TusHeaders.methodOverride, name, "below /files/ uploads are only created")
            }
            self = .create(try Self.creation(target, headers, &query))
        } else {
            let upload = try Self.upload(target)
            switch name {
            case "HEAD": self = .status(upload)
            case "PATCH": self = .append(upload, try Self.piece(headers))
            case "DELETE": self = .abort(upload)
            default:
                throw Problem(
                    .methodNotAllowed, .methodNotAllowed, "\(name) is not one of \(TusHeaders.allowed)"
                ).with(header: .allow, TusHeaders.allowed)
            }
        }
        try query.finish()
    }

    static func upload(_ target: RequestTarget) throws(Problem) -> UploadID {
        guard target.components.count == 2,
            let id = UUID(uuidString: String(decoding: target.components[1], as: UTF8.self))
        else { throw TusProblems.noUpload }
        return UploadID(id)
    }

    // MARK: - Creating

    private static func creation(
        _ target: RequestTarget, _ headers: HTTPFields, _ query: inout QueryReader
    ) throws(Problem) -> Creation {
        guard headers[.ifMatch] == nil else {
            throw TusHeaders.invalid(.ifMatch, headers[.ifMatch], "an upload in pieces cannot ask for a tag")
        }
        let noneMatch = try FileHeaders.tags(.ifNoneMatch, headers)
        guard noneMatch == nil || noneMatch == .any else {
            throw TusHeaders.invalid(.ifNoneMatch, headers[.ifNoneMatch], "with an upload it can only be *")
        }
        let metadata = try TusMetadata(headers[TusHeaders.metadata] ?? "")
        var creation = Creation(
            path: nil, parts: [], metadata: metadata.text, makesParents: try query.flag("parents"),
            replaces: noneMatch == nil)
        switch try headers[TusHeaders.concat].map({ (text) throws(Problem) in try TusConcat(text) }) {
        case .partial:
            creation.length = try Self.length(headers)
            creation.first = try Self.first(headers)
        case .final(let parts):
            creation.path = try Self.path(target, metadata)
            creation.parts = parts
            try Self.checkFinal(headers)
        case nil:
            creation.path = try Self.path(target, metadata)
            creation.length = try Self.length(headers)
            creation.first = try Self.first(headers)
        }
        return creation
    }

    /// Length and bytes of one that is put together come from its parts.
    private static func checkFinal(_ headers: HTTPFields) throws(Problem) {
        for name in [TusHeaders.length, TusHeaders.deferLength] {
            guard let value = headers[name] else { continue }
            throw TusHeaders.invalid(name, value, "the length is that of the parts")
        }
        guard try Self.bodyLength(headers) == 0 else { throw TusProblems.composed }
    }

    /// The path itself, or, where it names a folder, the file of the metadata's name in it.
    private static func path(_ target: RequestTarget, _ metadata: TusMetadata) throws(Problem) -> HomePath {
        let path = try FileRequest.path(target)
        guard target.endsWithSlash || path.isHome else { return path }
        guard let name = metadata.fileName else {
            throw TusHeaders.invalid(
                TusHeaders.metadata, metadata.text.isEmpty ? nil : metadata.text,
                "an upload into a folder needs a “filename” in it")
        }
        guard !name.contains(UInt8(ascii: "/")) else {
            throw Problem(
                .badRequest, .malformedPath,
                "the file name “\(String(decoding: name, as: UTF8.self))” has a slash")
        }
        do { return try path.appending(name) } catch { throw FileProblems.malformed(error) }
    }

    private static func length(_ headers: HTTPFields) throws(Problem) -> Int64? {
        let length = try TusHeaders.number(TusHeaders.length, headers)
        switch (length, headers[TusHeaders.deferLength]) {
        case (let length?, nil): return length
        case (nil, "1"): return nil
        case (nil, nil):
            throw TusHeaders.invalid(TusHeaders.length, nil, "say it, or Upload-Defer-Length: 1")
        case (nil, let value?):
            throw TusHeaders.invalid(TusHeaders.deferLength, value, "it can only be 1")
        case (_?, let value?):
            throw TusHeaders.invalid(TusHeaders.deferLength, value, "Upload-Length says the length already")
        }
    }

    /// Nil when the request has no body, or an empty one with nothing to say.
    private static func first(_ headers: HTTPFields) throws(Problem) -> Piece? {
        let bodyLength = try Self.bodyLength(headers)
        guard bodyLength != 0 else { return nil }
        try Self.checkType(headers)
        return try Self.piece(headers, at: 0, bodyLength)
    }

    // MARK: - Bodies

    private static func piece(_ headers: HTTPFields) throws(Problem) -> Piece {
        try Self.checkType(headers)
        guard let offset = try TusHeaders.number(TusHeaders.offset, headers) else {
            throw TusHeaders.invalid(TusHeaders.offset, nil, "it says where the bytes belong")
        }
        var piece = try Self.piece(headers, at: offset, try Self.bodyLength(headers))
        piece.length = try TusHeaders.number(TusHeaders.length, headers)
        return piece
    }

    private static func piece(
        _ headers: HTTPFields, at offset: Int64, _ bodyLength: Int64?
    ) throws(Problem) -> Piece {
        var checksum: TusChecksum?
        if let text = headers[TusHeaders.checksum] { checksum = try TusChecksum(text) }
        return Piece(
            offset: offset, length: nil, bodyLength: bodyLength, checksum: checksum,
            waits: try FileRequest.waits(headers))
    }

    /// No body is one of no bytes.
    static func bodyLength(_ headers: HTTPFields) throws(Problem) -> Int64? {
        guard headers[.contentLength] != nil || headers[.transferEncoding] != nil else { return 0 }
        return try FileRequest.length(headers)
    }

    private static func checkType(_ headers: HTTPFields) throws(Problem) {
        let type = headers[.contentType] ?? ""
        guard type.lowercased() == TusHeaders.contentType else {
            throw Problem(
                .unsupportedMediaType, .unsupportedMediaType,
                "the bytes of an upload have the type \(TusHeaders.contentType), not “\(type)”")
        }
    }
}
