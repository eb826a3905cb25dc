package import ClusterModel
package import ClusterPorts
import Crypto
package import Foundation

/// The changes that a copy or a move is made of.
///
/// A copy is one publication. A move within a home is one renaming; every other move is a publication, and after
/// it the removal of the source.
package enum CarryStep: String, Hashable, Sendable {
    case publish, rename, remove

    /// A change that was decided and could not be carried out is followed by another one with the next number; a job
    /// fails after so many.
    package static let rounds = 64

    /// The id of a change: the same in each run of the job, and of no other change.
    ///
    /// The first half of a SHA-256, as a UUID of version 8.
    package func operation(of job: JobID, round: Int) -> UUID {
        let text = "flotilla/job/\(job)/\(self.rawValue)/\(round)"
        var bytes = Array(SHA256.hash(data: Data(text.utf8)).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        return UUID(
            uuid: (
                bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
                bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]
            ))
    }
}

/// Which file a move has copied, noted under the claim before the copy is decided.
///
/// Only this file may be removed afterwards: what else stands at the path by then has not been copied.
package struct CarryCheckpoint: Hashable, Sendable {
    /// The round of the publication that it belongs to.
    package var round: Int
    package var source: FileIdentity

    package init(round: Int, source: FileIdentity) {
        self.round = round
        self.source = source
    }

    /// Numbers as text: JSON readers round those beyond 2⁵³.
    private struct Document: Codable {
        var round: Int
        var inode: String
        var size: String
        var modified: String
    }

    /// Nil for what no run has written.
    package init?(_ text: String?) {
        guard let text, let document = try? JSONDecoder().decode(Document.self, from: Data(text.utf8)),
            let inode = UInt64(document.inode), let size = Int64(document.size),
            let modified = Int64(document.modified)
        else { return nil }
        self.round = document.round
        self.source = FileIdentity(inode: inode, size: size, modified: modified, isFolder: false)
    }

    package var text: String {
        """
        {"round": \(self.round), "inode": "\(self.source.inode)", "size": "\(self.source.size)", \
        "modified": "\(self.source.modified)"}
        """
    }
}

/// Decides what may be carried, from what stands at the source.
package enum CarryRules {
    /// What keeps a copy or move from its source; nil when nothing does.
    package static func objection(to found: FileStatus?, of order: CarryOrder) -> String? {
        let shown = "\(order.from.account):\(order.from.path)"
        switch found?.kind {
        case nil: return "nothing stands at \(shown)"
        case .folder: return "\(shown) is a folder: only files are copied and moved by jobs, one each"
        case .link, .other: return "\(shown) is no file"
        case .file: break
        }
        if let tag = order.entityTag, let found, found.entityTag != tag {
            return "\(shown) has the tag \(found.entityTag), not \(tag)"
        }
        return nil
    }

    /// What keeps a file that was read from being carried.
    package static func objection(to digest: ClusterModel.Digest, of order: CarryOrder) -> String? {
        guard let expected = order.digest, expected != digest else { return nil }
        return "\(order.from.account):\(order.from.path) has the digest \(digest), expected was \(expected)"
    }
}
