package import ClusterPorts

/// What can be asked about shards.
package enum ShardRoute: Sendable, Equatable {
    case list
    case show(String)
    case pin(String)
    case unpin(String)
    case move(String)

    /// The least role that may do it.
    package var role: OperatorToken.Role {
        switch self {
        case .list, .show: .auditor
        case .pin, .unpin, .move: .operator
        }
    }

    package static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(path: "/shards", methods: [("GET", { _ in .shards(.list) })]),
        AdminRoute.Pattern(path: "/shards/{number}", methods: [("GET", { .shards(.show($0[0])) })]),
        AdminRoute.Pattern(
            path: "/shards/{number}/pin",
            methods: [("PUT", { .shards(.pin($0[0])) }), ("DELETE", { .shards(.unpin($0[0])) })]),
        AdminRoute.Pattern(path: "/shards/{number}/move", methods: [("POST", { .shards(.move($0[0])) })]),
    ]
}
