package import ClusterModel
package import ClusterPorts
import Crypto

import struct Foundation.Data

/// Signs entries under the cluster's key, and believes no others.
///
/// The layout is one byte of format, the version in eight bytes (big-endian), the signature in 32 bytes, then
/// the payload. The signature covers the name, the version and the payload: an entry copied under another
/// name, given another version or changed in one bit is not opened.
package struct EntrySeal: Sendable {
    private let key: SymmetricKey

    private static let format: UInt8 = 1
    private static let headSize = 1 + 8 + SHA256.byteCount

    /// - Parameter clusterKey: secret bytes that all nodes of the cluster share, and nobody else has; at
    ///   least 16.
    package init(clusterKey: [UInt8], cluster: ClusterID) {
        precondition(clusterKey.count >= 16, "the cluster's key has \(clusterKey.count) bytes, fewer than 16")
        // A key of its own, so that a signature made here means nothing elsewhere.
        self.key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: clusterKey),
            info: Data("flotilla view cache \(cluster)".utf8),
            outputByteCount: 32)
    }

    package func seal(_ entry: CachedBytes, as name: CacheName) -> [UInt8] {
        var sealed: [UInt8] = [Self.format]
        sealed.reserveCapacity(Self.headSize + entry.bytes.count)
        sealed.append(contentsOf: Self.bigEndian(entry.version.rawValue))
        sealed.append(
            contentsOf: HMAC<SHA256>.authenticationCode(for: Self.signed(entry, name), using: self.key))
        sealed.append(contentsOf: entry.bytes)
        return sealed
    }

    /// The entry; nil when this cluster did not write exactly this under this name.
    package func open(_ sealed: [UInt8], as name: CacheName) -> CachedBytes? {
        guard sealed.count >= Self.headSize, sealed[0] == Self.format else { return nil }
        let version = sealed[1..<9].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let entry = CachedBytes(bytes: Array(sealed[Self.headSize...]), version: ConfigVersion(version))
        let isOurs = HMAC<SHA256>.isValidAuthenticationCode(
            sealed[9..<Self.headSize], authenticating: Self.signed(entry, name), using: self.key)
        return isOurs ? entry : nil
    }

    /// What is signed; lengths keep `ab` + `c` apart from `a` + `bc`.
    private static func signed(_ entry: CachedBytes, _ name: CacheName) -> [UInt8] {
        var signed: [UInt8] = [Self.format]
        for part in [name.kind, name.subject] {
            signed.append(contentsOf: Self.bigEndian(Int64(part.utf8.count)))
            signed.append(contentsOf: part.utf8)
        }
        signed.append(contentsOf: Self.bigEndian(entry.version.rawValue))
        signed.append(contentsOf: entry.bytes)
        return signed
    }

    private static func bigEndian(_ number: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
    }
}
