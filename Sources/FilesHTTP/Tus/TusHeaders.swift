import ClusterModel
import HTTPDoor
package import HTTPTypes

/// The header fields of tus 1.0, and what this server says about itself in them.
package enum TusHeaders {
    package static let resumable = DoorHeader.name("Tus-Resumable")
    package static let versions = DoorHeader.name("Tus-Version")
    package static let extensions = DoorHeader.name("Tus-Extension")
    package static let checksumAlgorithms = DoorHeader.name("Tus-Checksum-Algorithm")
    package static let offset = DoorHeader.name("Upload-Offset")
    package static let length = DoorHeader.name("Upload-Length")
    package static let deferLength = DoorHeader.name("Upload-Defer-Length")
    package static let metadata = DoorHeader.name("Upload-Metadata")
    package static let checksum = DoorHeader.name("Upload-Checksum")
    package static let expires = DoorHeader.name("Upload-Expires")
    package static let concat = DoorHeader.name("Upload-Concat")
    package static let methodOverride = DoorHeader.name("X-HTTP-Method-Override")

    package static let version = "1.0.0"
    /// Of every body that has bytes of an upload.
    package static let contentType = "application/offset+octet-stream"
    /// What an upload's own address has.
    package static let allowed = "HEAD, PATCH, DELETE, OPTIONS"
    private static let known =
        "creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation"

    /// What OPTIONS answers besides the methods.
    static var capabilities: HTTPFields {
        [
            Self.resumable: Self.version, Self.versions: Self.version, Self.extensions: Self.known,
            Self.checksumAlgorithms: TusChecksum.Algorithm.allCases.map(\.rawValue).joined(separator: ","),
        ]
    }

    /// The address of an upload.
    static func location(_ upload: UploadID) -> String { "/\(Self.prefix)/\(upload)" }

    /// The first component of uploads' addresses; no file has one below it, since files are below `/files/`.
    static let prefix = "uploads"

    static func invalid(_ name: HTTPField.Name, _ value: String?, _ reason: String) -> Problem {
        guard let value else {
            return Problem(.badRequest, .invalidHeader, "the header \(name) is missing: \(reason)")
                .with("header", name.canonicalName)
        }
        return FileHeaders.invalid(name, value, reason)
    }

    /// A whole number that is not negative; nil when the field is not there.
    static func number(_ name: HTTPField.Name, _ headers: HTTPFields) throws(Problem) -> Int64? {
        guard let text = headers[name] else { return nil }
        guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let number = Int64(text), number <= FileHeaders.longest
        else { throw FileHeaders.invalid(name, text, "expected a whole number up to \(FileHeaders.longest)") }
        return number
    }
}
