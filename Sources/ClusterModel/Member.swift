package import struct Foundation.Date

/// A node's place in the cluster, from 1 to the member limit.
package struct Slot: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: Int16

    package init(_ rawValue: Int16) { self.rawValue = rawValue }

    package static func < (left: Slot, right: Slot) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }

    package init(from decoder: any Decoder) throws {
        self.rawValue = try decoder.singleValueContainer().decode(Int16.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }
}

/// Whether a member may take part.
///
/// `dead` is final for an incarnation.
package enum MemberStatus: String, Sendable, Codable, CaseIterable {
    /// Takes work. Goes to `draining` or `dead`.
    case active
    /// Takes nothing new, ends what it has. Goes to `active` or `dead`.
    case draining
    /// Holds no right any more.
    case dead
}

/// Why a member drains.
package struct DrainOrder: Hashable, Sendable {
    package enum Asker: String, Sendable, Codable, CaseIterable {
        /// Only an operator ends it.
        case `operator`
        /// The node itself, because it is sick; it ends it when it is well, and an operator may.
        case node
    }
    package var by: Asker
    package var reason: String

    package init(by asker: Asker, reason: String) {
        self.by = asker
        self.reason = reason
    }
}

/// How busy a node is, as it says itself in its heartbeat.
package struct LoadSample: Hashable, Sendable, Codable {
    /// Requests and jobs being worked on.
    package var inFlight: Int
    /// 0 for idle to 1 for full; above 1 when overloaded.
    package var load: Float

    package init(inFlight: Int, load: Float) {
        self.inFlight = inFlight
        self.load = load
    }

    package static let idle = LoadSample(inFlight: 0, load: 0)
}

/// One node as the cluster sees it.
package struct Member: Hashable, Sendable {
    package var slot: Slot
    package var name: NodeName
    package var incarnation: Incarnation
    package var status: MemberStatus
    /// Rises by one with each heartbeat of the incarnation.
    package var heartbeats: Int64
    /// The database's time of the last heartbeat; for people, no decision rests on it alone.
    package var lastHeartbeat: Date
    package var joinedAt: Date
    /// Since when heartbeats came without a gap.
    package var unbrokenSince: Date
    package var addresses: NodeAddresses
    package var version: String
    package var attributes: [String: String]
    /// Requests and jobs that it takes on at a time.
    package var capacity: Int
    package var load: LoadSample
    /// While it is draining.
    package var drain: DrainOrder?

    package init(
        slot: Slot, name: NodeName, incarnation: Incarnation, status: MemberStatus, heartbeats: Int64,
        lastHeartbeat: Date, joinedAt: Date, unbrokenSince: Date, addresses: NodeAddresses, version: String,
        attributes: [String: String], capacity: Int, load: LoadSample, drain: DrainOrder? = nil
    ) {
        self.slot = slot
        self.name = name
        self.incarnation = incarnation
        self.status = status
        self.heartbeats = heartbeats
        self.lastHeartbeat = lastHeartbeat
        self.joinedAt = joinedAt
        self.unbrokenSince = unbrokenSince
        self.addresses = addresses
        self.version = version
        self.attributes = attributes
        self.capacity = capacity
        self.load = load
        self.drain = drain
    }
}

/// Where others reach a node.
package struct NodeAddresses: Hashable, Sendable, Codable {
    package var host: String
    package var filesPort: Int
    package var adminPort: Int

    package init(host: String, filesPort: Int, adminPort: Int) {
        self.host = host
        self.filesPort = filesPort
        self.adminPort = adminPort
    }
}
