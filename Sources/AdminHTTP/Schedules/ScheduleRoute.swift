package import ClusterPorts

/// What can be asked about schedules.
package enum ScheduleRoute: Sendable, Equatable {
    case list
    case create
    case one(String)
    case change(String)
    case remove(String)
    case run(String)

    package var role: OperatorToken.Role {
        switch self {
        case .list, .one: .auditor
        case .create, .change, .remove, .run: .operator
        }
    }

    static let patterns: [AdminRoute.Pattern] = [
        AdminRoute.Pattern(
            path: "/schedules",
            methods: [("GET", { _ in .schedule(.list) }), ("POST", { _ in .schedule(.create) })]),
        AdminRoute.Pattern(
            path: "/schedules/{name}",
            methods: [
                ("GET", { .schedule(.one($0[0])) }), ("PATCH", { .schedule(.change($0[0])) }),
                ("DELETE", { .schedule(.remove($0[0])) }),
            ]),
        AdminRoute.Pattern(
            path: "/schedules/{name}/run", methods: [("POST", { .schedule(.run($0[0])) })]),
    ]
}
