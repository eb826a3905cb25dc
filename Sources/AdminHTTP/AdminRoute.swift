import ClusterModel
package import ClusterPorts
package import HTTPDoor
package import HTTPTypes

/// What an administrator can ask for; each case is one operation of the OpenAPI document.
package enum AdminRoute: Sendable, Equatable {
    case document
    case cluster
    case nodes
    case node(String)
    case drain(node: String)
    case resume(node: String)
    case evict(node: String)
    case changeNode(String)
    case views
    case leases
    case lease(String)
    case endLease(String)
    case watch
    case transfers
    case transfer(String)
    case accounts
    case createAccount
    case account(String)
    case changeAccount(String)
    case recount(account: String)
    case keys(account: String)
    case createKey(account: String)
    case revokeKey(account: String, id: String)
    case cache
    case webhook(WebhookRoute)
    case jobs(JobRoute)
    case schedule(ScheduleRoute)
    case shards(ShardRoute)
    case uploads(UploadRoute)
    case sessions(SessionRoute)

    /// The least role that may do it; nil for what needs no token.
    package var role: OperatorToken.Role? {
        switch self {
        case .document: nil
        case .jobs(let route): route.role
        case .shards(let route): route.role
        case .uploads(let route): route.role
        case .cluster, .nodes, .node, .views, .leases, .lease, .watch, .transfers, .transfer, .accounts,
            .account, .keys,
            .cache, .sessions:
            .auditor
        case .endLease, .drain, .resume, .evict, .changeNode, .createAccount, .changeAccount, .createKey,
            .revokeKey, .recount:
            .operator
        case .webhook(let route): route.role
        case .schedule(let route): route.role
        }
    }
}

extension OperatorToken.Role {
    /// Whether this role may do what the other may: auditor < operator < admin.
    ///
    /// An auditor reads; an operator also manages nodes, accounts and keys; an admin
    /// does all.
    package func covers(_ least: OperatorToken.Role) -> Bool { self.rank >= least.rank }

    private var rank: Int {
        switch self {
        case .auditor: 0
        case .operator: 1
        case .admin: 2
        }
    }
}

extension AdminRoute {
    package static let prefix = ["api", "v1"]

    /// One path of the API: methods and what they ask for.
    ///
    /// A component in braces takes any text.
    package struct Pattern: Sendable {
        package var path: String
        package var methods: [(method: String, route: @Sendable ([String]) -> AdminRoute)]
    }

    package static let patterns: [Pattern] =
        [
            Pattern(path: "/openapi.json", methods: [("GET", { _ in .document })]),
            Pattern(path: "/cluster", methods: [("GET", { _ in .cluster })]),
            Pattern(path: "/nodes", methods: [("GET", { _ in .nodes })]),
            Pattern(
                path: "/nodes/{name}",
                methods: [("GET", { .node($0[0]) }), ("PATCH", { .changeNode($0[0]) })]),
            Pattern(path: "/nodes/{name}/drain", methods: [("POST", { .drain(node: $0[0]) })]),
            Pattern(path: "/nodes/{name}/resume", methods: [("POST", { .resume(node: $0[0]) })]),
            Pattern(path: "/nodes/{name}/evict", methods: [("POST", { .evict(node: $0[0]) })]),
            Pattern(path: "/cluster/views", methods: [("GET", { _ in .views })]),
            Pattern(path: "/leases", methods: [("GET", { _ in .leases })]),
            Pattern(
                path: "/leases/{epoch}",
                methods: [("GET", { .lease($0[0]) }), ("DELETE", { .endLease($0[0]) })]),
            Pattern(path: "/watch", methods: [("GET", { _ in .watch })]),
            Pattern(path: "/transfers", methods: [("GET", { _ in .transfers })]),
            Pattern(path: "/transfers/{id}", methods: [("GET", { .transfer($0[0]) })]),
            Pattern(
                path: "/accounts", methods: [("GET", { _ in .accounts }), ("POST", { _ in .createAccount })]),
            Pattern(
                path: "/accounts/{name}",
                methods: [("GET", { .account($0[0]) }), ("PATCH", { .changeAccount($0[0]) })]),
            Pattern(path: "/accounts/{name}/recount", methods: [("POST", { .recount(account: $0[0]) })]),
            Pattern(
                path: "/accounts/{name}/keys",
                methods: [("GET", { .keys(account: $0[0]) }), ("POST", { .createKey(account: $0[0]) })]),
            Pattern(
                path: "/accounts/{name}/keys/{id}",
                methods: [("DELETE", { .revokeKey(account: $0[0], id: $0[1]) })]),
            Pattern(path: "/cache", methods: [("GET", { _ in .cache })]),
        ] + WebhookRoute.patterns + JobRoute.patterns + ScheduleRoute.patterns + ShardRoute.patterns
        + UploadRoute.patterns + SessionRoute.patterns

    /// HEAD is answered as GET without a body.
    package init(method: HTTPRequest.Method, target: RequestTarget) throws(Problem) {
        let path = target.components.map { String(decoding: $0, as: UTF8.self) }
        guard path.starts(with: Self.prefix), !target.endsWithSlash else {
            throw Problem.noRoute("/" + path.joined(separator: "/"))
        }
        for pattern in Self.patterns {
            guard let values = pattern.match(Array(path.dropFirst(Self.prefix.count))) else { continue }
            let name = method == .head ? "GET" : method.rawValue
            guard let found = pattern.methods.first(where: { $0.method == name }) else {
                throw Problem.methodNotAllowed(method, allowed: pattern.allowed)
            }
            self = found.route(values)
            return
        }
        throw Problem.noRoute("/" + path.joined(separator: "/"))
    }
}

extension AdminRoute.Pattern {
    /// The texts that stand where the pattern has braces; nil when the path is another one.
    func match(_ components: [String]) -> [String]? {
        let expected = self.path.split(separator: "/")
        guard expected.count == components.count else { return nil }
        var values: [String] = []
        for (pattern, component) in zip(expected, components) {
            if pattern.hasPrefix("{") { values.append(component) } else if pattern != component { return nil }
        }
        return values
    }

    var allowed: String {
        let names = self.methods.map(\.method)
        return (names.contains("GET") ? ["GET", "HEAD"] + names.filter { $0 != "GET" } : names).joined(
            separator: ", ")
    }
}
