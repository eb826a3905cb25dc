package import ClusterModel
package import ClusterPorts
package import Foundation
import HTTPDoor

/// `GET /cluster`.
package struct ClusterAnswer: Sendable, Equatable, Codable {
    package struct Members: Sendable, Equatable, Codable {
        package var active: Int
        package var draining: Int
        package var dead: Int
    }
    package struct Leader: Sendable, Equatable, Codable {
        package var slot: Int
        package var node: String?
        package var incarnation: Int64
        package var term: Int64
    }
    package struct ThisNode: Sendable, Equatable, Codable {
        package var name: String?
        package var slot: Int?
        package var incarnation: Int64?
        package var standing: String
        package var reason: String?
    }
    package var id: String
    package var viewVersion: Int64
    package var schemaVersion: Int
    package var memberLimit: Int
    package var configVersion: Int64
    package var members: Members
    /// Nil until somebody leads, and while the last leader is dead.
    package var leader: Leader?
    package var thisNode: ThisNode
    package var readAt: Date

    package init(_ view: ClusterView, standing: Standing) {
        func count(_ status: MemberStatus) -> Int { view.members.count { $0.status == status } }
        self.id = view.cluster.description
        self.viewVersion = view.version
        self.schemaVersion = view.schemaVersion
        self.memberLimit = view.memberLimit
        self.configVersion = max(view.configVersion, standing.configVersion ?? view.configVersion).rawValue
        self.members = Members(active: count(.active), draining: count(.draining), dead: count(.dead))
        self.leader = view.livingLeader.map { leader in
            Leader(
                slot: Int(leader.slot.rawValue),
                node: view.members.first { $0.incarnation == leader.incarnation }?.name.description,
                incarnation: leader.incarnation.rawValue, term: leader.term)
        }
        self.thisNode = ThisNode(standing)
        self.readAt = view.readAt
    }
}

extension ClusterAnswer.ThisNode {
    init(_ standing: Standing) {
        func of(_ right: NodeRight?, _ name: String) -> Self {
            Self(
                name: right?.name.description, slot: right.map { Int($0.slot.rawValue) },
                incarnation: right?.incarnation.rawValue, standing: name, reason: Health.reason(standing))
        }
        switch standing {
        case .outside: self = of(nil, "outside")
        case .serving(let right, _): self = of(right, "serving")
        case .draining(let right, _): self = of(right, "draining")
        case .stale(let right): self = of(right, "stale")
        case .isolated(let right): self = of(right, "isolated")
        case .sick(let right, _): self = of(right, "sick")
        }
    }
}

/// One node, as the cluster saw it when the view was read.
package struct NodeAnswer: Sendable, Equatable, Codable {
    package var slot: Int
    package var name: String
    package var incarnation: Int64
    package var status: MemberStatus
    package var host: String
    package var filesPort: Int
    package var adminPort: Int
    package var version: String
    package var attributes: [String: String]
    package var capacity: Int
    package var inFlight: Int
    package var load: Double
    package var heartbeats: Int64
    package var lastHeartbeat: Date
    package var joinedAt: Date
    package var unbrokenSince: Date
    /// Who asked for the drain that lasts, and why.
    package var drain: Drain?
    /// How requests come in; only of the node that was asked, since its own numbers are not shared.
    package var ingress: IngressAnswer?

    package struct Drain: Sendable, Equatable, Codable {
        package var by: DrainOrder.Asker
        package var reason: String
        /// Nothing is in hand any more, as of the last view.
        package var done: Bool
    }

    package init(_ member: Member) {
        self.slot = Int(member.slot.rawValue)
        self.name = member.name.description
        self.incarnation = member.incarnation.rawValue
        self.status = member.status
        self.host = member.addresses.host
        self.filesPort = member.addresses.filesPort
        self.adminPort = member.addresses.adminPort
        self.version = member.version
        self.attributes = member.attributes
        self.capacity = member.capacity
        self.inFlight = member.load.inFlight
        // Two digits say enough, and a load that is no number says nothing.
        self.load = member.load.load.isFinite ? (Double(member.load.load) * 100).rounded() / 100 : 0
        self.heartbeats = member.heartbeats
        self.lastHeartbeat = member.lastHeartbeat
        self.joinedAt = member.joinedAt
        self.unbrokenSince = member.unbrokenSince
        self.drain = member.drain.map {
            Drain(by: $0.by, reason: $0.reason, done: member.load.inFlight == 0)
        }
    }
}

/// What made one view.
package struct ViewAnswer: Sendable, Equatable, Codable {
    package var viewVersion: Int64
    package var at: Date
    package var reason: String
    package var slot: Int?
    package var node: String?
    package var incarnation: Int64?

    package init(_ change: ViewChange) {
        self.viewVersion = change.version
        self.at = change.at
        self.reason = change.reason
        self.slot = change.slot.map { Int($0.rawValue) }
        self.node = change.name?.description
        self.incarnation = change.incarnation?.rawValue
    }
}

/// One lease.
package struct LeaseAnswer: Sendable, Equatable, Codable {
    package struct Limit: Sendable, Equatable, Codable {
        package var key: String
        package var slots: Int
    }
    package var epoch: Int64
    package var kind: String
    package var id: String
    package var node: String
    package var slot: Int
    package var incarnation: Int64
    /// Leases with the same one exclude one another.
    package var order: String?
    package var limit: Limit?
    /// After so long it is void although its holder lives.
    package var deadlineSeconds: Double?
    package var ageSeconds: Double

    package init(_ lease: LeaseRecord) {
        func seconds(_ duration: Duration) -> Double { Double(duration.wholeMilliseconds) / 1_000 }
        self.epoch = lease.title.epoch.rawValue
        self.kind = lease.title.subject.kind.description
        self.id = lease.title.subject.id
        self.node = lease.node.description
        self.slot = Int(lease.slot.rawValue)
        self.incarnation = lease.incarnation.rawValue
        self.order = lease.orderKey?.description
        self.limit = lease.limit.map { Limit(key: $0.key, slots: $0.slots) }
        self.deadlineSeconds = lease.deadline.map(seconds)
        self.ageSeconds = seconds(lease.age)
    }
}

/// A page of a list.
package struct PageAnswer<Item: Sendable & Codable & Equatable>: Sendable, Equatable, Codable {
    package var items: [Item]
    /// The cursor of the next page; not there on the last one.
    package var next: String?
    /// Whether something that belongs here could not be asked.
    package var partial = false
    package var missingNodes: [String] = []

    package init(_ items: [Item], next: String?) {
        self.items = items
        self.next = next
    }

    /// A page of what was found when one more was asked for than is shown.
    ///
    /// - Parameter cursor: of the page that begins after a record.
    package init<Record>(
        _ found: [Record], limit: Int, cursor: (Record) -> String, answer: (Record) -> Item
    ) {
        let page = found.prefix(limit)
        self.init(page.map(answer), next: found.count > limit ? page.last.map(cursor) : nil)
    }
}

/// One record of the transfer log.
package struct TransferAnswer: Sendable, Equatable, Codable {
    package var id: String
    package var kind: TransferRecord.Kind
    package var status: TransferRecord.Status
    package var account: String
    package var path: String
    /// Only where the path is not UTF-8.
    package var pathBase64: String?
    package var target: String?
    package var targetBase64: String?
    package var size: Int64
    package var sha256: String?
    package var node: String
    package var incarnation: Int64
    package var `protocol`: String
    package var client: String
    package var startedAt: Date
    package var endedAt: Date?
    package var reason: String?

    package init(_ record: TransferRecord) {
        self.id = record.id.uuidString.lowercased()
        self.kind = record.kind
        self.status = record.status
        self.account = record.account.description
        self.path = record.path.description
        self.pathBase64 = Self.base64(record.path)
        self.target = record.target?.description
        self.targetBase64 = record.target.flatMap(Self.base64)
        self.size = record.size
        self.sha256 = record.digest?.description
        self.node = record.origin.node.description
        self.incarnation = record.incarnation.rawValue
        self.protocol = record.origin.protocol
        self.client = record.origin.client
        self.startedAt = record.origin.startedAt
        self.endedAt = record.endedAt
        self.reason = record.reason
    }

    private static func base64(_ path: HomePath) -> String? {
        String(validating: path.bytes, as: UTF8.self) == nil ? Data(path.bytes).base64EncodedString() : nil
    }
}

/// An account, without anything that helps to break into it.
package struct AccountAnswer: Sendable, Equatable, Codable {
    package var id: String
    package var name: String
    package var enabled: Bool
    package var hasPassword: Bool
    package var createdAt: Date
    package var changedAt: Date
    package var revision: Int64
    /// Limits of the home; nil for none.
    package var quotaBytes: Int64?
    package var quotaFiles: Int64?
    /// Only with a quota.
    package var use: HomeUseAnswer?

    package init(_ account: Account, _ quota: AccountQuota? = nil) {
        self.id = account.id.description
        self.name = account.name.description
        self.enabled = account.enabled
        self.hasPassword = account.passwordHash != nil
        self.createdAt = account.createdAt
        self.changedAt = account.changedAt
        self.revision = account.revision
        self.quotaBytes = account.quota?.bytes
        self.quotaFiles = account.quota?.files
        self.use = account.quota == nil ? nil : quota.map { HomeUseAnswer($0) }
    }
}

/// What an account with a quota has in its home.
package struct HomeUseAnswer: Sendable, Equatable, Codable {
    package var bytes: Int64
    package var files: Int64
    /// Durable bytes of resumable uploads that are no files yet.
    package var openUploadBytes: Int64
    package var countedAt: Date?
    /// Whether the numbers wait for a count to be right.
    package var counting: Bool

    package init(_ quota: AccountQuota) {
        self.bytes = quota.use.bytes
        self.files = quota.use.files
        self.openUploadBytes = quota.open
        self.countedAt = quota.countedAt
        self.counting = quota.isPending
    }
}

/// A key, without its digest; with its secret only when it was made by this very request.
package struct KeyAnswer: Sendable, Equatable, Codable {
    package var id: String
    package var label: String
    package var enabled: Bool
    package var createdAt: Date
    package var expiresAt: Date?
    package var secret: String?

    package init(_ key: APIKey, secret: String? = nil) {
        self.id = key.id.uuidString.lowercased()
        self.label = key.label
        self.enabled = key.enabled
        self.createdAt = key.createdAt
        self.expiresAt = key.expiresAt
        self.secret = secret
    }
}

/// `GET /cache`.
package struct CacheAnswer: Sendable, Equatable, Codable {
    /// False when this node has no shared cache.
    package var configured: Bool
    package var available: Bool
    package var hits: Int
    package var misses: Int
    package var forged: Int

    package init(_ statistics: CacheStatistics?) {
        self.configured = statistics != nil
        self.available = statistics?.available ?? false
        self.hits = statistics?.hits ?? 0
        self.misses = statistics?.misses ?? 0
        self.forged = statistics?.forged ?? 0
    }
}
