package import ClusterModel
package import ClusterPorts

/// How a sick node goes into the drain, and comes out of it, by a guarded write of its own row.
package protocol OwnDrain: Sendable {
    /// Answers whether it drains by its own wish now; false when an operator's drain was there before.
    func begin(_ right: NodeRight, reason: String) async throws(StoreError) -> Bool

    /// Undoes only what ``begin(_:reason:)`` did; an operator's drain stays.
    func end(_ right: NodeRight) async throws(StoreError) -> Bool
}

/// The own drain over what operators use for any member.
package struct MemberOwnDrain: OwnDrain {
    private let control: any MemberControl

    package init(_ control: any MemberControl) { self.control = control }

    package func begin(_ right: NodeRight, reason: String) async throws(StoreError) -> Bool {
        try await self.control.drain(right.incarnation, by: .node, reason: reason)?.drain?.by == .node
    }

    package func end(_ right: NodeRight) async throws(StoreError) -> Bool {
        try await self.control.resume(right.incarnation, by: .node, reason: "")?.status == .active
    }
}
