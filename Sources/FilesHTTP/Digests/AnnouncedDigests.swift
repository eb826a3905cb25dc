package import ClusterModel
import Foundation
package import HTTPDoor
package import HTTPTypes

/// An algorithm whose digests are checked; those of others are passed over, as RFC 9530 has it.
package enum DigestAlgorithm: String, Sendable, CaseIterable {
    case sha256 = "sha-256"
    case sha512 = "sha-512"
    /// SHA-1 and MD5 say nothing against forgers, but enough about damage.
    case sha1 = "sha"
    case md5

    var bytes: Int {
        switch self {
        case .sha256: 32
        case .sha512: 64
        case .sha1: 20
        case .md5: 16
        }
    }
}

/// The digests that the head of an upload announces: each must be that of the body.
package struct AnnouncedDigests: Sendable, Equatable {
    private(set) var values: [DigestAlgorithm: [UInt8]] = [:]

    package init() {}

    /// Reads `Content-Digest` and `Repr-Digest` (RFC 9530), `Digest` (RFC 3230) and `Content-MD5`.
    package init(_ headers: HTTPFields) throws(Problem) {
        for name in [FileHeaders.contentDigest, FileHeaders.reprDigest] {
            if let value = headers[name] { try self.readDictionary(name, value) }
        }
        if let value = headers[FileHeaders.digest] { try self.readInstances(value) }
        if let value = headers[FileHeaders.contentMD5] {
            try self.add(.md5, Self.trimmed(value[...]), FileHeaders.contentMD5, value)
        }
    }

    package var sha256: Digest? { self.values[.sha256].flatMap { Digest($0) } }

    /// Those that the file service does not check by itself.
    package var others: [DigestAlgorithm: [UInt8]] { self.values.filter { $0.key != .sha256 } }

    // MARK: - Reading

    /// A dictionary of byte sequences (RFC 8941): `sha-256=:base64:, sha-512=:base64:`.
    private mutating func readDictionary(_ name: HTTPField.Name, _ value: String) throws(Problem) {
        for member in value.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = Self.trimmed(member).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, Self.isKey(sides[0]) else {
                throw FileHeaders.invalid(name, value, "expected algorithm=:base64:, separated by commas")
            }
            guard let algorithm = DigestAlgorithm(rawValue: String(sides[0])) else { continue }
            // Parameters behind it mean nothing here.
            let item = Self.trimmed(sides[1].prefix { $0 != ";" })
            guard item.count >= 2, item.first == ":", item.last == ":" else {
                throw FileHeaders.invalid(name, value, "expected \(algorithm.rawValue)=:base64:")
            }
            try self.add(algorithm, item.dropFirst().dropLast(), name, value)
        }
    }

    /// `SHA-256=base64,MD5=base64`; names in any case.
    private mutating func readInstances(_ value: String) throws(Problem) {
        for member in value.split(separator: ",") {
            let text = Self.trimmed(member)
            guard !text.isEmpty else { continue }
            let sides = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty else {
                throw FileHeaders.invalid(
                    FileHeaders.digest, value, "expected algorithm=base64, separated by commas")
            }
            guard let algorithm = DigestAlgorithm(rawValue: sides[0].lowercased()) else { continue }
            try self.add(algorithm, sides[1], FileHeaders.digest, value)
        }
    }

    private mutating func add(
        _ algorithm: DigestAlgorithm, _ base64: Substring, _ name: HTTPField.Name, _ value: String
    ) throws(Problem) {
        guard let data = Data(base64Encoded: String(base64)), data.count == algorithm.bytes else {
            throw FileHeaders.invalid(
                name, value, "the \(algorithm.rawValue) is not \(algorithm.bytes) bytes in base64")
        }
        let bytes = Array(data)
        guard self.values[algorithm] == nil || self.values[algorithm] == bytes else {
            throw FileHeaders.invalid(name, value, "it contradicts another digest in the same request")
        }
        self.values[algorithm] = bytes
    }

    private static func isKey(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, Self.isLower(first) || first == UInt8(ascii: "*") else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            Self.isLower(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || "_-.*".utf8.contains(byte)
        }
    }

    private static func isLower(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
