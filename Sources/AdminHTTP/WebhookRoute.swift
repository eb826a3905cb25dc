package import ClusterPorts

/// What can be asked about webhooks and events.
package enum WebhookRoute: Sendable, Equatable {
    case list
    case create
    case one(String)
    case change(String)
    case remove(String)
    case test(String)
    case events
    case event(String)

    package var role: OperatorToken.Role {
        switch self {
        case .list, .one, .events, .event: .auditor
        case .create, .change, .remove, .test: .operator
        }
    }

    static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(
            path: "/webhooks",
            methods: [("GET", { _ in .webhook(.list) }), ("POST", { _ in .webhook(.create) })]),
        AdminRoute.Pattern(
            path: "/webhooks/{name}",
            methods: [
                ("GET", { .webhook(.one($0[0])) }), ("PATCH", { .webhook(.change($0[0])) }),
                ("DELETE", { .webhook(.remove($0[0])) }),
            ]),
        AdminRoute.Pattern(
            path: "/webhooks/{name}/test", methods: [("POST", { .webhook(.test($0[0])) })]),
        AdminRoute.Pattern(path: "/events", methods: [("GET", { _ in .webhook(.events) })]),
        AdminRoute.Pattern(path: "/events/{id}", methods: [("GET", { .webhook(.event($0[0])) })]),
    ]
}
