import ClusterModel
import ClusterPorts
package import FileService
import Foundation
import HTTPDoor
import HTTPTypes
import Hummingbird
import Synchronization

/// What a PUT answers.
package struct UploadAnswer: Sendable, Equatable, Codable {
    package var path: String
    package var size: Int64
    package var sha256: String
    package var transferId: String
    package var etag: String

    package init(_ receipt: PutReceipt) {
        self.path = receipt.path.description
        self.size = receipt.size
        self.sha256 = receipt.digest.description
        self.transferId = receipt.transfer.text
        self.etag = receipt.entityTag
    }
}

/// What MKCOL and MOVE answer.
package struct OperationAnswer: Sendable, Equatable, Codable {
    package var path: String
    package var transferId: String

    package init(_ receipt: OperationReceipt) {
        self.path = receipt.path.description
        self.transferId = receipt.transfer.text
    }
}

extension UUID {
    /// In lowercase, as everywhere outside.
    var text: String { self.uuidString.lowercased() }
}

/// What COPY answers.
package struct CopyAnswer: Sendable, Equatable, Codable {
    package var path: String
    package var transferId: String
    package var files: Int
    /// Below a copied folder; the folder itself is not counted.
    package var folders: Int
    package var bytes: Int64
    /// Links, pipes and the like that are not in the copy, and the first of their paths.
    package var leftOut: Int
    package var leftOutPaths: [String]
    package var sha256: String?
    package var etag: String?

    package init(_ receipt: CopyReceipt) {
        self.path = receipt.path.description
        self.transferId = receipt.transfer.text
        self.files = receipt.count.files
        self.folders = receipt.count.folders
        self.bytes = receipt.count.bytes
        self.leftOut = receipt.count.leftOut
        self.leftOutPaths = receipt.count.leftOutPaths.map { String(decoding: $0, as: UTF8.self) }
        self.sha256 = receipt.digest?.description
        self.etag = receipt.entityTag
    }
}

/// The header fields of a file's answer.
enum FileAnswer {
    static func headers(_ status: FileStatus, path: HomePath) -> HTTPFields {
        var headers: HTTPFields = [
            .acceptRanges: "bytes", .eTag: status.entityTag, .contentType: Self.mediaType(path.name ?? []),
            // Files come from anybody: a browser shall neither guess what they are nor run what is in them.
            .xContentTypeOptions: "nosniff", .contentSecurityPolicy: "sandbox",
            .cacheControl: "no-cache",
            .contentDisposition: Self.disposition(path.name ?? []),
        ]
        headers[.lastModified] = HTTPDate.text(seconds: status.modified / 1_000_000_000)
        return headers
    }

    /// A 304 says only what a cache may have to renew (RFC 9110, 15.4.5).
    static func notModified(_ headers: HTTPFields) -> HTTPFields {
        [.eTag: headers[.eTag] ?? "", .cacheControl: headers[.cacheControl] ?? "no-cache"]
    }

    static func mediaType(_ name: [UInt8]) -> String {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return "application/octet-stream" }
        return MediaTypes.text(ending: String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased())
    }

    /// The name for people who save the file (RFC 6266): for old programs what of it is ASCII, then all of it.
    static func disposition(_ name: [UInt8]) -> String {
        let text = String(decoding: name, as: UTF8.self)
        guard !name.allSatisfy(PercentCoding.isPlain) else {
            return "attachment; filename=\"\(text)\"; filename*=UTF-8''\(text)"
        }
        let plain = text.unicodeScalars.map { scalar -> String in
            // Percent signs are decoded by some and not by others.
            guard scalar.isASCII, scalar.value >= 0x20, scalar.value != 0x7F,
                !"\"\\%/".unicodeScalars.contains(scalar)
            else { return "_" }
            return String(Character(scalar))
        }.joined()
        return "attachment; filename=\"\(plain)\"; filename*=UTF-8''\(PercentCoding.encode(text.utf8))"
    }
}

/// Media types by the endings of names, made into text once.
private enum MediaTypes {
    /// As many as are known; unknown endings are not kept.
    private static let known = Mutex<[String: String]>([:])

    static func text(ending: String) -> String {
        if let text = Self.known.withLock({ $0[ending] }) { return text }
        guard let type = MediaType.getMediaType(forExtension: ending) else {
            return "application/octet-stream"
        }
        let text = type.description
        Self.known.withLock { $0[ending] = text }
        return text
    }
}
