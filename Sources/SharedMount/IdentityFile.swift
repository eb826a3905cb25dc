import ClusterModel
import ClusterPorts

import struct Foundation.UUID

/// The text of `.flotilla/cluster`.
enum IdentityFile {
    static let longest = 512
    private static let head = "flotilla-mount 1"

    static func text(_ identity: MountIdentity) -> [UInt8] {
        Array("\(Self.head)\ncluster \(identity.cluster)\nnonce \(identity.nonce)\n".utf8)
    }

    /// Strict: exactly what ``text(_:)`` makes, else nil.
    static func parse(_ bytes: [UInt8]) -> MountIdentity? {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard lines.count == 4, lines[0] == Self.head, lines[3].isEmpty,
            lines[1].hasPrefix("cluster "), lines[2].hasPrefix("nonce "),
            let cluster = UUID(uuidString: String(lines[1].dropFirst("cluster ".count))),
            let nonceBytes = [UInt8](hex: String(lines[2].dropFirst("nonce ".count))),
            let nonce = MountNonce(nonceBytes)
        else { return nil }
        let identity = MountIdentity(cluster: ClusterID(cluster), nonce: nonce)
        return Self.text(identity) == bytes ? identity : nil
    }
}
