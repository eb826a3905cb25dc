package import ClusterModel

package import struct Foundation.Date

/// Membership as rows: each call is one autocommit statement, and a compare-and-set decides who wins.
///
/// Fails with ``StoreError``; after `mayHaveRun` the caller reads the view and looks for its own incarnation.
package protocol ClusterStore: Sendable {
    /// What every node must know before it joins; the row is made by the migrations.
    func facts() async throws(StoreError) -> ClusterFacts

    /// Records the mount's nonce unless one is recorded; answers the one that is recorded afterwards.
    func recordMount(_ nonce: MountNonce) async throws(StoreError) -> MountNonce

    /// Draws an incarnation that is higher than every one drawn before and than `floor`.
    func nextIncarnation(above floor: Incarnation?) async throws(StoreError) -> Incarnation

    /// Takes a free slot and the name, both or neither, and makes the next view.
    /// The caller holds the advisory lock of its incarnation already.
    func join(_ request: JoinRequest) async throws(StoreError) -> JoinAnswer

    func view() async throws(StoreError) -> ClusterView

    /// Marks the target dead if all of this holds at commit: the accuser is live and its chain unbroken for
    /// the slow window; the target still has `heartbeats`; its last heartbeat is older than the fast window if
    /// nobody holds its advisory lock, older than the slow one otherwise (or lies in the future). Locks the
    /// target's row `FOR UPDATE` first, so no commit of the target is in flight when it dies (rule R3).
    /// Adds a ``Departure``. Answers whether this call killed it.
    func accuse(_ accusation: Accusation) async throws(StoreError) -> Bool

    /// The same for a joiner that is refused and has watched the target stand still for the slow window.
    func accuse(asJoiner accusation: Accusation) async throws(StoreError) -> Bool

    /// For the owner of a private database who has just started it: nobody else can be connected, so whoever the
    /// rows call live and whose advisory lock nobody holds is dead. Answers how many were.
    func buryAll(reason: String) async throws(StoreError) -> Int

    /// Leaves for good: the incarnation is dead afterwards, with a ``Departure``. False when it was dead before.
    func leave(slot: Slot, incarnation: Incarnation) async throws(StoreError) -> Bool

    /// Incarnations that are dead and whose leavings nobody has cleared, oldest first.
    func departures(limit: Int) async throws(StoreError) -> [Departure]

    /// Takes the right to clear one, unless a live incarnation has it. False: somebody else clears it.
    func claimDeparture(of departed: Incarnation, by right: NodeRight) async throws(StoreError) -> Bool

    /// Closes it: nothing in the database belongs to the departed any more.
    func closeDeparture(of departed: Incarnation, by right: NodeRight) async throws(StoreError)

    /// Takes the lead if the claim's incarnation is live, nobody has led since its term, and whoever had that term
    /// is dead. Makes a new view.
    ///
    /// Nil when it did not; the view then tells who leads.
    func takeLead(_ claim: LeadClaim) async throws(StoreError) -> Leadership?

    /// Removes rows of the dead that are older and cleared, and what was noted of their leases. Answers how many
    /// members.
    ///
    /// A leader's write: does nothing unless the incarnation lives and has the term at this moment.
    func prune(olderThan age: Duration, by leader: LeaderRight) async throws(StoreError) -> Int
}

/// What the cluster's row says.
package struct ClusterFacts: Sendable, Hashable {
    package var cluster: ClusterID
    /// Nil until the first node has bound a mount.
    package var mountNonce: MountNonce?
    package var memberLimit: Int
    package var schemaVersion: Int
    /// The oldest program that can live with the schema, as its own newest schema version.
    package var minReaderVersion: Int
    /// Signs cache entries; 32 bytes, made once by the database.
    package var cacheKey: [UInt8]
    package var configVersion: ConfigVersion
    /// `max_connections` less those reserved for superusers.
    package var connectionLimit: Int

    package init(
        cluster: ClusterID, mountNonce: MountNonce?, memberLimit: Int, schemaVersion: Int,
        minReaderVersion: Int,
        cacheKey: [UInt8], configVersion: ConfigVersion, connectionLimit: Int
    ) {
        self.cluster = cluster
        self.mountNonce = mountNonce
        self.memberLimit = memberLimit
        self.schemaVersion = schemaVersion
        self.minReaderVersion = minReaderVersion
        self.cacheKey = cacheKey
        self.configVersion = configVersion
        self.connectionLimit = connectionLimit
    }
}

package struct JoinRequest: Sendable, Hashable {
    package var incarnation: Incarnation
    /// Nil takes `worker-N` of the free slot N.
    package var name: NodeName?
    package var addresses: NodeAddresses
    package var version: String
    /// The newest schema that this program knows.
    package var knownSchema: Int
    package var attributes: [String: String]
    package var capacity: Int

    package init(
        incarnation: Incarnation, name: NodeName?, addresses: NodeAddresses, version: String,
        knownSchema: Int,
        attributes: [String: String], capacity: Int
    ) {
        self.incarnation = incarnation
        self.name = name
        self.addresses = addresses
        self.version = version
        self.knownSchema = knownSchema
        self.attributes = attributes
        self.capacity = capacity
    }
}

package enum JoinAnswer: Sendable, Hashable {
    case joined(slot: Slot, name: NodeName)
    /// A live incarnation has the name.
    case nameTaken(by: Member)
    /// All slots up to the limit are held by live incarnations.
    case full(limit: Int, members: [Member])
    /// The database is newer than this program can read.
    case tooOld(minReaderVersion: Int)
}

/// A dead incarnation whose names, staging and open transfers are still to be cleared.
package struct Departure: Sendable, Hashable {
    package var incarnation: Incarnation
    package var slot: Slot
    package var name: NodeName
    package var reason: String
    package var at: Date

    package init(incarnation: Incarnation, slot: Slot, name: NodeName, reason: String, at: Date) {
        self.incarnation = incarnation
        self.slot = slot
        self.name = name
        self.reason = reason
        self.at = at
    }
}
