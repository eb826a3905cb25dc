package import ClusterPorts

/// What can be asked about resumable uploads.
package enum UploadRoute: Sendable, Equatable {
    case list
    case show(String)
    case abort(String)

    /// The least role that may do it.
    package var role: OperatorToken.Role {
        switch self {
        case .list, .show: .auditor
        case .abort: .operator
        }
    }

    package static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(path: "/uploads", methods: [("GET", { _ in .uploads(.list) })]),
        AdminRoute.Pattern(
            path: "/uploads/{id}",
            methods: [("GET", { .uploads(.show($0[0])) }), ("DELETE", { .uploads(.abort($0[0])) })]),
    ]
}
