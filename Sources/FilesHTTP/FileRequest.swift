package import ClusterModel
package import ClusterPorts
package import FileService
package import HTTPDoor
package import HTTPTypes

/// What a request to `/files/…` asks for, once its target, method and header fields are understood.
package enum FileRequest: Sendable, Equatable {
    case options
    case upload(Upload)
    case read(HomePath, ReadConditions, Listing)
    case remove(HomePath, recursive: Bool, ifMatch: String?, mustBeFolder: Bool)
    /// Its body names paths below the folder.
    case removeMany(HomePath, waits: Bool)
    case makeFolder(HomePath, parents: Bool)
    case move(HomePath, to: HomePath, ifMatch: String?, mustBeFolder: Bool)
    case copy(HomePath, to: HomePath, CopyOptions)

    package struct Upload: Sendable, Equatable {
        package var path: HomePath
        package var makesParents: Bool
        package var replaces: Bool
        package var ifMatch: String?
        package var digests: AnnouncedDigests
        /// Nil for a body in chunks.
        package var length: Int64?
        /// The client waits for `100 Continue` before it sends the body.
        package var waits: Bool

        var options: PutOptions {
            var options = PutOptions()
            options.makesParents = self.makesParents
            options.replaces = self.replaces
            options.ifMatch = self.ifMatch
            options.expectedDigest = self.digests.sha256
            options.isBodyAskedFor = self.waits
            return options
        }
    }

    /// What to list if the path is a folder.
    package struct Listing: Sendable, Equatable {
        package var limit = 1_000
        package var after: [UInt8]?
        /// Only a folder can be meant: the path ends with a slash or the query has a listing's parameters.
        package var isCertain = false
        /// As one archive with all that is in the folder.
        package var asArchive = false
        /// Drawn with the first page.
        package var walk: ListingWalk?
    }

    package static let allowed = "GET, HEAD, PUT, DELETE, MKCOL, MOVE, COPY, OPTIONS"
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
            self = .remove(
                try Self.path(target), recursive: try query.flag("recursive"),
                ifMatch: try Self.ifMatch(headers), mustBeFolder: target.endsWithSlash)
        case "POST" where query.has("bulk"):
            _ = try query.value("bulk", "delete") { $0 == "delete" ? $0 : nil }
            self = .removeMany(try Self.path(target), waits: try Self.waits(headers))
        case "MKCOL":
            self = .makeFolder(try Self.path(target), parents: try query.flag("parents"))
        case "MOVE":
            _ = try FileHeaders.overwrites(headers)
            self = .move(
                try Self.path(target), to: try Self.destination(headers, authority),
                ifMatch: try Self.ifMatch(headers), mustBeFolder: target.endsWithSlash)
        case "COPY":
            self = .copy(
                try Self.path(target), to: try Self.destination(headers, authority),
                try Self.copyOptions(target, headers))
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

    private static func ifMatch(_ headers: HTTPFields) throws(Problem) -> String? {
        guard try FileHeaders.tags(.ifMatch, headers) == nil else { return headers[.ifMatch] }
        // Times have no more than seconds here: what was changed twice within one would be lost.
        if let time = headers[.ifUnmodifiedSince] {
            throw FileHeaders.invalid(
                .ifUnmodifiedSince, time, "what changes files is guarded by If-Match with the entity tag")
        }
        return nil
    }

    private static func destination(
        _ headers: HTTPFields, _ authority: String?
    ) throws(Problem) -> HomePath {
        let destination = try FileHeaders.destination(headers, authority: authority)
        guard destination.query.isEmpty,
            destination.components.first.map({ $0.elementsEqual("files".utf8) }) == true
        else {
            throw FileHeaders.invalid(
                FileHeaders.destination, headers[FileHeaders.destination] ?? "", "it is not below /files/")
        }
        return try Self.path(destination)
    }

    private static func copyOptions(
        _ target: RequestTarget, _ headers: HTTPFields
    ) throws(Problem) -> CopyOptions {
        if let depth = headers[FileHeaders.depth], depth.lowercased() != "infinity" {
            throw FileHeaders.invalid(
                FileHeaders.depth, depth, "a folder is copied with all that is in it: infinity")
        }
        var options = CopyOptions()
        options.replaces = try FileHeaders.overwrites(headers)
        options.ifMatch = try Self.ifMatch(headers)
        options.mustBeFolder = target.endsWithSlash
        return options
    }

    private static func read(
        _ target: RequestTarget, _ headers: HTTPFields, isHead: Bool, _ query: inout QueryReader
    ) throws(Problem) -> FileRequest {
        let path = try Self.path(target)
        var listing = Listing()
        listing.isCertain =
            target.endsWithSlash || path.isHome || query.has("limit") || query.has("cursor")
            || query.has("archive")
        listing.asArchive =
            try query.value("archive", "zip") { $0 == "zip" ? $0 : nil } != nil
            || (!query.has("limit") && !query.has("cursor") && FileHeaders.acceptsArchive(headers))
        if let limit = try query.number("limit", in: 1...10_000) { listing.limit = Int(limit) }
        let cursor = try query.value("cursor", "a cursor from an earlier listing") { ListingCursor($0) }
        listing.after = cursor?.name
        listing.walk = cursor?.walk
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
        return Upload(
            path: path, makesParents: try query.flag("parents"), replaces: noneMatch == nil,
            ifMatch: try Self.ifMatch(headers), digests: try AnnouncedDigests(headers),
            length: try Self.length(headers),
            waits: try Self.waits(headers))
    }

    /// Nil for a body in chunks.
    static func length(_ headers: HTTPFields) throws(Problem) -> Int64? {
        if let text = headers[.contentLength] {
            guard let length = Int64(text), 0...FileHeaders.longest ~= length else {
                throw FileHeaders.invalid(.contentLength, text, "it is no length of a file")
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
