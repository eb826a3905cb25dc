package import ClusterModel
import Foundation

/// Which file is to be read again: a payload, `{"account": "alice", "path": "/in/a", "sha256": "…"}`.
package struct VerifyOrder: Hashable, Sendable {
    package var account: AccountName
    package var path: HomePath
    /// What the file must have; nil for what the transfer log says.
    package var digest: ClusterModel.Digest?

    private struct Payload: Decodable {
        var account: String
        var path: String
        var sha256: String?
    }

    /// Nil when the text names no file.
    package init?(_ payload: String) {
        guard let asked = try? JSONDecoder().decode(Payload.self, from: Data(payload.utf8)),
            let account = AccountName(asked.account), let path = try? HomePath(bytes: asked.path.utf8),
            !path.isHome
        else { return nil }
        self.account = account
        self.path = path
        if let text = asked.sha256 {
            guard let digest = ClusterModel.Digest(hex: text) else { return nil }
            self.digest = digest
        }
    }
}

/// Decides what the digest that was read means.
package enum VerifyVerdict: Hashable, Sendable {
    case matches
    /// The file is not what was published, or not what was asked for.
    case differs(expected: ClusterModel.Digest)
    /// Somebody published another one while it was read.
    case changed
    /// Nothing says what it should be.
    case unknown

    /// - Parameters:
    ///   - before: the log's newest digest of the path before the file was opened.
    ///   - after: and after it was read.
    package static func judge(
        _ found: ClusterModel.Digest, asked: ClusterModel.Digest?, before: ClusterModel.Digest?,
        after: ClusterModel.Digest?
    ) -> VerifyVerdict {
        if let asked { return found == asked ? .matches : .differs(expected: asked) }
        if found == before || found == after { return .matches }
        guard before == after else { return .changed }
        guard let before else { return .unknown }
        return .differs(expected: before)
    }
}
