package import ClusterModel
import Crypto

package import struct Foundation.Data
package import struct Foundation.Date

/// Somebody who signed in with a password, until when, and the text that proves it on every node.
package struct Session: Sendable, Equatable {
    package var account: AccountName
    /// Whole seconds.
    package var expiresAt: Date
    /// Letters, digits, `.`, `-` and `_`: fit for a cookie.
    package var text: String

    /// A working day; whoever stays longer signs in again, and what was under way goes on.
    package static let lifetime: Duration = .seconds(12 * 3_600)
}

/// Signs sessions under the cluster's key, and believes no others.
///
/// The text is `s1.<expiry>.<signature>.<account>`: whose it is, and until when, can be read by anybody and changed by
/// nobody. The signature also covers the account's id and its password's hash, which are not in the text: a new
/// password has a new hash, and an account that was made anew under an old name another id, so old sessions fit neither.
/// Nothing is stored, and every node of the cluster has the key.
package struct SessionSeal: Sendable {
    private let key: SymmetricKey

    private static let format = "s1"

    /// - Parameter clusterKey: secret bytes that all nodes of the cluster share, and nobody else has.
    package init(clusterKey: [UInt8]) {
        // A key of its own, so that a signature made here means nothing elsewhere.
        self.key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: clusterKey), info: Array("flotilla session".utf8),
            outputByteCount: 32)
    }

    /// Nil for an account without a password, which nobody can sign in to.
    package func seal(_ account: Account, until expiresAt: Date) -> Session? {
        guard let hash = account.passwordHash else { return nil }
        let seconds = Int64(expiresAt.timeIntervalSince1970)
        let code = HMAC<SHA256>.authenticationCode(
            for: Self.signed(account, hash, seconds), using: self.key)
        let signature = Array(code).hex
        return Session(
            account: account.name, expiresAt: Date(timeIntervalSince1970: Double(seconds)),
            text: "\(Self.format).\(seconds).\(signature).\(account.name)")
    }

    /// What a text claims; nil when it is none of ours.
    ///
    /// Believe it only after ``proves(_:of:)``.
    package static func read(_ text: String) -> Session? {
        // Names have dots, so the name comes last.
        let parts = text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == Self.format, parts[1].utf8.count <= 12,
            parts[1].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let seconds = Int64(parts[1]), parts[2].utf8.count == 2 * SHA256.byteCount,
            let account = AccountName(String(parts[3]))
        else { return nil }
        return Session(
            account: account, expiresAt: Date(timeIntervalSince1970: Double(seconds)), text: text)
    }

    /// Whether the session is this account's with the password that it has now.
    package func proves(_ session: Session, of account: Account) -> Bool {
        guard let hash = account.passwordHash, account.name == session.account else { return false }
        let parts = session.text.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let code = [UInt8](hex: String(parts[2])) else { return false }
        let seconds = Int64(session.expiresAt.timeIntervalSince1970)
        return HMAC<SHA256>.isValidAuthenticationCode(
            code, authenticating: Self.signed(account, hash, seconds), using: self.key)
    }

    /// What is signed; neither an id nor a hash nor a number has a NUL in it.
    private static func signed(_ account: Account, _ hash: String, _ seconds: Int64) -> Data {
        Data("\(Self.format)\0\(account.id)\0\(hash)\0\(seconds)".utf8)
    }
}
