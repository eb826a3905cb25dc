package import ClusterModel
import Foundation
import HTTPDoor
package import HTTPTypes

/// Reads the header fields that mean something at the files' door.
package enum FileHeaders {
    package static let contentDigest = DoorHeader.name("Content-Digest")
    package static let reprDigest = DoorHeader.name("Repr-Digest")
    package static let digest = DoorHeader.name("Digest")
    package static let contentMD5 = DoorHeader.name("Content-MD5")
    package static let wantReprDigest = DoorHeader.name("Want-Repr-Digest")
    package static let wantDigest = DoorHeader.name("Want-Digest")
    package static let destination = DoorHeader.name("Destination")
    package static let overwrite = DoorHeader.name("Overwrite")
    package static let depth = DoorHeader.name("Depth")
    /// The id of the transfer log's record, where an answer has no body to hold it.
    package static let transfer = DoorHeader.name("Flotilla-Transfer")
    package static let forwardedFor = DoorHeader.name("X-Forwarded-For")

    static func invalid(_ name: HTTPField.Name, _ value: String, _ reason: String) -> Problem {
        Problem(.badRequest, .invalidHeader, "the header \(name) has the value “\(value)”: \(reason)")
            .with("header", name.canonicalName)
    }

    static func tags(_ name: HTTPField.Name, _ headers: HTTPFields) throws(Problem) -> EntityTags? {
        guard let value = headers[name] else { return nil }
        guard let tags = EntityTags(value) else {
            throw Self.invalid(name, value, "expected * or entity tags in double quotes")
        }
        return tags
    }

    package static func reprDigest(_ digest: Digest) -> String {
        "sha-256=:\(Data(digest.bytes).base64EncodedString()):"
    }

    /// Where a MOVE or a COPY goes: a path, or a URL of this server.
    static func destination(_ headers: HTTPFields, authority: String?) throws(Problem) -> RequestTarget {
        guard let value = headers[Self.destination] else {
            throw Problem(.badRequest, .invalidHeader, "MOVE and COPY need the header Destination").with(
                "header", "destination")
        }
        var path = value[...]
        if let scheme = value.range(of: "://") {
            let rest = value[scheme.upperBound...]
            let host = rest.prefix { $0 != "/" }
            guard ["http", "https"].contains(value[..<scheme.lowerBound].lowercased()),
                authority == nil || host.lowercased() == authority?.lowercased()
            else { throw Self.invalid(Self.destination, value, "it is not an address of this server") }
            path = rest[host.endIndex...]
        }
        return try RequestTarget(String(path))
    }

    /// No file is longer, in bytes; sums of what clients announce stay far from any bound.
    static let longest: Int64 = 1 << 60

    /// Whether the client says outright that what stands at the destination may go; WebDAV's default would be yes.
    static func overwrites(_ headers: HTTPFields) throws(Problem) -> Bool {
        switch headers[Self.overwrite] {
        case nil, "F", "f": false
        case "T", "t": true
        case let value?: throw Self.invalid(Self.overwrite, value, "expected T or F")
        }
    }

    /// Whether a folder is wanted as a ZIP archive.
    static func acceptsArchive(_ headers: HTTPFields) -> Bool {
        let types = headers[values: .accept].flatMap { $0.split(separator: ",") }
        return types.contains { type in
            let words = type.lowercased().filter { $0 != " " && $0 != "\t" }.split(separator: ";")
            return words.first == "application/zip" && !words.contains { $0 == "q=0" || $0 == "q=0.0" }
        }
    }
}
