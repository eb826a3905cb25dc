/// What can be asked about open transfers.
package enum SessionRoute: Sendable, Equatable {
    /// Of all nodes.
    case list
    /// Of the node that is asked; nodes ask each other so.
    case here

    package static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(path: "/sessions", methods: [("GET", { _ in .sessions(.list) })]),
        AdminRoute.Pattern(path: "/sessions/here", methods: [("GET", { _ in .sessions(.here) })]),
    ]
}
