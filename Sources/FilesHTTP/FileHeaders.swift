package import ClusterModel
import Foundation
package import HTTPDoor
package import HTTPTypes

/// Reads the header fields that mean something at the files' door.
package enum FileHeaders {
    package static let contentDigest = DoorHeader.name("Content-Digest")
    package static let reprDigest = DoorHeader.name("Repr-Digest")
    package static let digest = DoorHeader.name("Digest")
    package static let destination = DoorHeader.name("Destination")
    package static let overwrite = DoorHeader.name("Overwrite")
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

    /// The SHA-256 that the client announces, in any of the three fields that can hold one; other algorithms
    /// say nothing here.
    package static func announcedDigest(_ headers: HTTPFields) throws(Problem) -> Digest? {
        var found: Digest?
        for name in [Self.contentDigest, Self.reprDigest, Self.digest] {
            guard let value = headers[name], let digest = try Self.digest(name, value) else { continue }
            guard found == nil || found == digest else {
                throw Self.invalid(name, value, "it contradicts another digest in the same request")
            }
            found = digest
        }
        return found
    }

    private static func digest(_ name: HTTPField.Name, _ value: String) throws(Problem) -> Digest? {
        for member in value.split(separator: ",") {
            let sides = member.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, sides[0].drop(while: { $0 == " " }).lowercased() == "sha-256" else {
                continue
            }
            var text = sides[1].drop { $0 == " " }
            while text.last == " " { text.removeLast() }
            // A structured field's byte sequence stands between colons (RFC 9530); the older Digest has none.
            if name != Self.digest {
                guard text.count > 2, text.first == ":", text.last == ":" else {
                    throw Self.invalid(name, value, "expected sha-256=:base64:")
                }
                text = text.dropFirst().dropLast()
            }
            guard let data = Data(base64Encoded: String(text)), let digest = Digest(Array(data)) else {
                throw Self.invalid(name, value, "it is not 32 bytes in base64")
            }
            return digest
        }
        return nil
    }

    package static func reprDigest(_ digest: Digest) -> String {
        "sha-256=:\(Data(digest.bytes).base64EncodedString()):"
    }

    /// Where a MOVE goes: a path, or a URL of this server.
    static func destination(_ headers: HTTPFields, authority: String?) throws(Problem) -> RequestTarget {
        guard let value = headers[Self.destination] else {
            throw Problem(.badRequest, .invalidHeader, "MOVE needs the header Destination").with(
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
}
