package import ClusterModel
import Crypto

/// How a node proves to another one that it is of the same cluster: a MAC under a key that is derived from the
/// cluster's, for one question, one asker and one who is asked (decision 0025).
package struct NodeSeal: Sendable {
    private let key: SymmetricKey

    /// - Parameter clusterKey: 32 bytes that every node reads from the database.
    package init(clusterKey: [UInt8]) {
        self.key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: clusterKey), info: Array("flotilla node to node".utf8),
            outputByteCount: 32)
    }

    package static let scheme = "Flotilla-Node"
    /// The only question so far.
    package static let sessionsHere = "GET /api/v1/sessions/here"

    /// What stands in `Authorization`.
    package func text(_ question: String, from asker: Incarnation, to asked: Incarnation) -> String {
        let mac = HMAC<SHA256>.authenticationCode(for: Self.message(question, asker, asked), using: self.key)
        return "\(Self.scheme) \(asker):\(Array(mac).hex)"
    }

    /// Whether it is one for this very question to this very incarnation.
    package func isRight(_ text: String?, _ question: String, at asked: Incarnation) -> Bool {
        guard let words = text?.split(separator: " "), words.count == 2,
            words[0].lowercased() == Self.scheme.lowercased()
        else { return false }
        let sides = words[1].split(separator: ":")
        guard sides.count == 2, let asker = Int64(sides[0]).flatMap({ Incarnation(rawValue: $0) }),
            let mac = [UInt8](hex: String(sides[1]))
        else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            mac, authenticating: Self.message(question, asker, asked), using: self.key)
    }

    private static func message(_ question: String, _ asker: Incarnation, _ asked: Incarnation) -> [UInt8] {
        Array("1\n\(question)\n\(asker)\n\(asked)".utf8)
    }
}
