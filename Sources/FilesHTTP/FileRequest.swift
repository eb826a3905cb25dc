package import ClusterModel
import FileService
package import HTTPDoor
package import HTTPTypes

/// What a request to `/files/…` asks for, once its target, method and header fields are understood.
package enum FileRequest: Sendable, Equatable {
    case options
    case upload(Upload)
    case read(HomePath, ReadConditions, Listing)
    case remove(HomePath, recursive: Bool, ifMatch: String?)
    case makeFolder(HomePath, parents: Bool)
    case move(HomePath, to: HomePath)

    package struct Upload: Sendable, Equatable {
        package var path: HomePath
        package var makesParents: Bool
        package var replaces: Bool
        package var ifMatch: String?
        package var digest: Digest?
        /// Nil for a body in chunks.
        package var length: Int64?
        /// The client waits for `100 Continue` before it sends the body.
        package var waits: Bool

        var options: PutOptions {
            var options = PutOptions()
            options.makesParents = self.makesParents
            options.replaces = self.replaces
            options.ifMatch = self.ifMatch
            options.expectedDigest = self.digest
            return options
        }
    }

    /// What to list if the path is a folder.
    package struct Listing: Sendable, Equatable {
        package var limit = 1_000
        package var after: [UInt8]?
        /// Only a folder can be meant: the path ends with a slash or the query has a listing's parameters.
        package var isCertain = false
    }

    package static let allowed = "GET, HEAD, PUT, DELETE, MKCOL, MOVE, OPTIONS"
}

extension FileRequest {
    /// - Parameters:
    ///   - target: Its first component is `files`.
    ///   - authority: The host that the client addressed, with port.
    package init(
        method: HTTPRequest.Method, target: RequestTarget, headers: HTTPFields, authority: String?
    ) throws(Problem) {
        var query = try QueryReader(target.query)
        switch method.rawValue {
        case "OPTIONS": self = .options
        case "GET", "HEAD":
            self = try Self.read(target, headers, isHead: method == .head, &query)
        case "PUT":
            self = .upload(try Self.upload(target, headers, &query))
        case "DELETE":
            let path = try Self.path(target)
            let ifMatch = try FileHeaders.tags(.ifMatch, headers) == nil ? nil : headers[.ifMatch]
            self = .remove(path, recursive: try query.flag("recursive"), ifMatch: ifMatch)
        case "MKCOL":
            self = .makeFolder(try Self.path(target), parents: try query.flag("parents"))
        case "MOVE":
            let destination = try FileHeaders.destination(headers, authority: authority)
            guard destination.query.isEmpty,
                destination.components.first.map({ $0.elementsEqual("files".utf8) }) == true
            else {
                throw FileHeaders.invalid(
                    FileHeaders.destination, headers[FileHeaders.destination] ?? "", "it is not below /files/"
                )
            }
            self = .move(try Self.path(target), to: try Self.path(destination))
        default:
            throw Problem.methodNotAllowed(method, allowed: Self.allowed)
        }
        try query.finish()
    }

    /// The path below the home; never empty components, `.` or `..`.
    package static func path(_ target: RequestTarget) throws(Problem) -> HomePath {
        let components = target.components.dropFirst()
        guard !components.contains([]) else { throw FileProblems.malformed(.emptyComponent) }
        do {
            return try HomePath(bytes: Array(components.joined(separator: [UInt8(ascii: "/")])))
        } catch { throw FileProblems.malformed(error) }
    }

    private static func read(
        _ target: RequestTarget, _ headers: HTTPFields, isHead: Bool, _ query: inout QueryReader
    ) throws(Problem) -> FileRequest {
        let path = try Self.path(target)
        var listing = Listing()
        listing.isCertain = target.endsWithSlash || path.isHome || query.has("limit") || query.has("cursor")
        if let limit = try query.number("limit", in: 1...10_000) { listing.limit = Int(limit) }
        listing.after = try query.value("cursor", "a cursor from an earlier listing") {
            ListingCursor.name($0)
        }
        return .read(path, try ReadConditions(headers, isHead: isHead), listing)
    }

    private static func upload(
        _ target: RequestTarget, _ headers: HTTPFields, _ query: inout QueryReader
    ) throws(Problem) -> Upload {
        let path = try Self.path(target)
        guard path.isHome || !target.endsWithSlash else {
            throw Problem(
                .badRequest, .malformedPath,
                "the path ends with a slash, so it names a folder; MKCOL makes folders")
        }
        if headers[.contentRange] != nil {
            throw FileHeaders.invalid(
                .contentRange, headers[.contentRange] ?? "", "a part of a file cannot be put")
        }
        if let coding = headers[.contentEncoding], coding.lowercased() != "identity" {
            throw Problem(
                .unsupportedMediaType, .unsupportedMediaType,
                "files are kept as they are; leave out Content-Encoding")
        }
        let noneMatch = try FileHeaders.tags(.ifNoneMatch, headers)
        guard noneMatch == nil || noneMatch == .any else {
            throw FileHeaders.invalid(.ifNoneMatch, headers[.ifNoneMatch] ?? "", "with PUT it can only be *")
        }
        let ifMatch = try FileHeaders.tags(.ifMatch, headers) == nil ? nil : headers[.ifMatch]
        return Upload(
            path: path, makesParents: try query.flag("parents"), replaces: noneMatch == nil, ifMatch: ifMatch,
            digest: try FileHeaders.announcedDigest(headers), length: try Self.length(headers),
            waits: try Self.waits(headers))
    }

    /// Nil for a body in chunks.
    static func length(_ headers: HTTPFields) throws(Problem) -> Int64? {
        if let text = headers[.contentLength] {
            guard let length = Int64(text), length >= 0 else {
                throw FileHeaders.invalid(.contentLength, text, "it is no length")
            }
            return length
        }
        guard let coding = headers[.transferEncoding] else {
            throw Problem(
                .lengthRequired, .lengthRequired, "PUT needs Content-Length, or a body sent in chunks")
        }
        // Another coding would be kept as if it were the file.
        guard coding.lowercased() == "chunked" else {
            throw Problem(
                .notImplemented, .unsupportedMediaType,
                "the transfer coding is “\(coding)”; only “chunked” is known")
        }
        return nil
    }

    /// Whether the client wants to hear `100 Continue` before it sends the body.
    static func waits(_ headers: HTTPFields) throws(Problem) -> Bool {
        guard let expect = headers[.expect] else { return false }
        guard expect.lowercased() == "100-continue" else {
            throw Problem(.expectationFailed, .expectationFailed, "“\(expect)” is not 100-continue")
        }
        return true
    }
}
