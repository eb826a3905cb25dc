package import ClusterPorts

/// Decides whether a mount and a database belong together.
///
/// The file on the mount and the row in the database name each other: the cluster's id stands on the mount, the
/// mount's nonce in the database. Once both are recorded, a missing or different file is always a refusal: a mount
/// point without its mount looks wrong, never empty and writable.
package enum MountBinding {
    package enum Verdict: Sendable, Equatable {
        case bound
        /// Neither knows the other: make the file, then record the nonce that stands in it.
        case establish
        /// The file is ours and the database does not know it yet (a start that was cut short): record it.
        case record(MountNonce)
        case refuse(String)
    }

    package static func judge(_ facts: ClusterFacts, mount: MountIdentity?) -> Verdict {
        guard let mount else {
            guard let nonce = facts.mountNonce else { return .establish }
            return .refuse(
                "cluster \(facts.cluster) has its files on the mount \(nonce), and this one was never used. "
                    + "Is it mounted?")
        }
        guard mount.cluster == facts.cluster else {
            return .refuse(
                "it belongs to cluster \(mount.cluster), and this database is cluster \(facts.cluster).")
        }
        guard let nonce = facts.mountNonce else { return .record(mount.nonce) }
        guard nonce == mount.nonce else {
            return .refuse(
                "it is \(mount.nonce), and cluster \(facts.cluster) has its files on \(nonce). Is it a copy?")
        }
        return .bound
    }
}
