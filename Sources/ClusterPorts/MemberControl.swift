package import ClusterModel

package import struct Foundation.Date

/// What operators, and nodes about themselves, change of a member; each call is one autocommit statement.
///
/// Every change makes a new view, so every node knows within a heartbeat. Fails with ``StoreError``.
package protocol MemberControl: Sendable {
    /// Drains a live member: it takes nothing new and ends what it has. Nil when the incarnation is not live.
    ///
    /// Asking again changes nothing, but for an operator's word, which replaces the node's own.
    func drain(_ target: Incarnation, by asker: DrainOrder.Asker, reason: String) async throws(StoreError)
        -> Member?

    /// Ends a drain; nil when the incarnation is not live.
    ///
    /// A node ends only the drain that it asked for itself; an operator ends any.
    ///
    /// - Parameter reason: For the history; may be empty.
    func resume(_ target: Incarnation, by asker: DrainOrder.Asker, reason: String) async throws(StoreError)
        -> Member?

    /// Ends an incarnation by order of an operator, whatever its health. Answers whether this call did.
    ///
    /// Its row is locked `FOR UPDATE` first, as in every death (rule R3). The node joins again when it can.
    func evict(_ target: Incarnation, reason: String) async throws(StoreError) -> Bool

    /// Sets attributes of a live member and removes those whose value is nil; nil when it is not live.
    ///
    /// They stay with the node's name, also when it joins again, and go before those that it brings itself.
    func setAttributes(_ changes: [String: String?], of target: Incarnation) async throws(StoreError)
        -> Member?

    /// One page of what made each view, newest first.
    func viewHistory(_ query: ViewHistoryQuery) async throws(StoreError) -> [ViewChange]
}

/// Why a view came about.
package struct ViewChange: Sendable, Hashable {
    package var version: Int64
    package var at: Date
    package var reason: String
    /// Whom it is about.
    package var slot: Slot?
    package var name: NodeName?
    package var incarnation: Incarnation?

    package init(
        version: Int64, at: Date, reason: String, slot: Slot?, name: NodeName?, incarnation: Incarnation?
    ) {
        self.version = version
        self.at = at
        self.reason = reason
        self.slot = slot
        self.name = name
        self.incarnation = incarnation
    }
}

package struct ViewHistoryQuery: Sendable, Hashable {
    package var node: NodeName?
    package var incarnation: Incarnation?
    /// Only versions below it: where the page before ended.
    package var before: Int64?
    /// 1 to 1,000.
    package var limit = 100

    package init() {}
}

/// Bounds of what operators say of a node.
package enum NodeAttributes {
    /// How many attributes they may have set of one node.
    package static let setMax = 64
}
