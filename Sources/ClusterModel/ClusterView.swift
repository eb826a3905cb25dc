package import struct Foundation.Date
package import struct Foundation.UUID

/// Which cluster this is; written in the database and on the mount.
package struct ClusterID: Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: UUID
    package init(_ rawValue: UUID) { self.rawValue = rawValue }
    package var description: String { self.rawValue.uuidString.lowercased() }
}

/// Rises with each change of accounts, keys or settings, one number for the cluster.
package struct ConfigVersion: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: Int64
    package init(_ rawValue: Int64) { self.rawValue = rawValue }
    package static func < (left: ConfigVersion, right: ConfigVersion) -> Bool {
        left.rawValue < right.rawValue
    }
    package var description: String { "\(self.rawValue)" }
}

/// All members at one `version`: immutable, and replaced only by a successor.
package struct ClusterView: Hashable, Sendable {
    package var cluster: ClusterID
    /// Rises with each join, death, leave and change of status.
    package var version: Int64
    package var memberLimit: Int
    package var schemaVersion: Int
    package var configVersion: ConfigVersion
    /// By slot; dead ones included until they are pruned.
    package var members: [Member]
    /// The database's time when the view was read.
    package var readAt: Date
    /// Who took the lead last, dead or alive; nil when nobody has yet.
    package var leader: Leadership?

    package init(
        cluster: ClusterID, version: Int64, memberLimit: Int, schemaVersion: Int,
        configVersion: ConfigVersion,
        members: [Member], readAt: Date, leader: Leadership? = nil
    ) {
        self.cluster = cluster
        self.version = version
        self.memberLimit = memberLimit
        self.schemaVersion = schemaVersion
        self.configVersion = configVersion
        self.members = members
        self.readAt = readAt
        self.leader = leader
    }

    /// The one that leads, if it lives.
    package var livingLeader: Leadership? {
        guard let leader = self.leader else { return nil }
        let lives = self.members.contains { $0.incarnation == leader.incarnation && $0.status != .dead }
        return lives ? leader : nil
    }

    package func member(named name: NodeName) -> Member? { self.members.first { $0.name == name } }
}
