package import ClusterPorts

/// What can be asked about jobs and their policies.
package enum JobRoute: Sendable, Equatable {
    case list
    case submit
    case counts
    case show(String)
    case retry(String)
    case cancel(String)
    case delete(String)
    case many
    case policies
    case setPolicy(String)
    case removePolicy(String)

    /// The least role that may do it.
    package var role: OperatorToken.Role {
        switch self {
        case .list, .counts, .show, .policies: .auditor
        case .submit, .retry, .cancel, .delete, .many, .setPolicy, .removePolicy: .operator
        }
    }

    package static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(
            path: "/jobs", methods: [("GET", { _ in .jobs(.list) }), ("POST", { _ in .jobs(.submit) })]),
        // Before the one in braces, which would take these words for ids.
        AdminRoute.Pattern(path: "/jobs/counts", methods: [("GET", { _ in .jobs(.counts) })]),
        AdminRoute.Pattern(path: "/jobs/many", methods: [("POST", { _ in .jobs(.many) })]),
        AdminRoute.Pattern(
            path: "/jobs/{id}",
            methods: [("GET", { .jobs(.show($0[0])) }), ("DELETE", { .jobs(.delete($0[0])) })]),
        AdminRoute.Pattern(path: "/jobs/{id}/retry", methods: [("POST", { .jobs(.retry($0[0])) })]),
        AdminRoute.Pattern(path: "/jobs/{id}/cancel", methods: [("POST", { .jobs(.cancel($0[0])) })]),
        AdminRoute.Pattern(path: "/job-policies", methods: [("GET", { _ in .jobs(.policies) })]),
        AdminRoute.Pattern(
            path: "/job-policies/{scope}",
            methods: [
                ("PUT", { .jobs(.setPolicy($0[0])) }), ("DELETE", { .jobs(.removePolicy($0[0])) }),
            ]),
    ]
}
