import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Answers `/api/v1/…`: checks the token's role, then asks the room that knows.
struct AdminResponder: DoorService {
    let gatekeeper: Gatekeeper
    let desk: AccountDesk
    let transfers: any TransferStore
    let members: any MemberControl
    let leases: any LeaseStore
    let feed: any FeedStore
    let webhooks: any WebhookStore
    let events: any EventStore
    let jobs: any JobStore & JobControl
    let schedules: any ScheduleStore
    /// What this program knows how to do.
    let jobKinds: Set<JobKind>
    let readPayload: @Sendable (JobSpec) -> PayloadReading
    let explainer: (any JobExplainer)?
    let doorbell: (any Doorbell)?
    let shards: any ShardStore
    let shardExplainer: (any ShardExplainer)?
    let uploads: UploadService
    let uploadRows: any UploadStore
    /// Open transfers of this node.
    let sessions: @Sendable () -> [TransferSession]
    let peers: (any SessionPeers)?
    let seal: NodeSeal?
    let watchers: WatcherGauge
    let standing: any NodeStanding
    let cache: (any ViewCache)?
    let ingress: @Sendable () -> IngressAnswer

    /// The largest body of a request, in bytes.
    static let longestBody = 64 << 10

    func answer(
        _ request: Request, to target: RequestTarget, context: DoorContext
    ) async throws -> Response {
        let route = try AdminRoute(method: request.method, target: target)
        let token =
            self.isSealed(request.headers, route) ? nil : try await self.token(request.headers, route.role)
        switch route {
        case .document:
            return try self.plain(target) { Self.document }
        case .cluster: return try self.plain(target) { try self.showCluster() }
        case .nodes: return try self.listNodes(target.query)
        case .node(let name): return try self.plain(target) { try self.showNode(name) }
        case .drain, .resume, .evict, .changeNode:
            try QueryReader(target.query).finish()
            return try await self.changeNode(
                route, try await self.body(of: request, context.channel), by: token?.label ?? "")
        case .views: return try await self.listViews(target.query)
        case .leases: return try await self.listLeases(target.query)
        case .lease(let epoch), .endLease(let epoch):
            try QueryReader(target.query).finish()
            return try await self.oneLease(epoch, ends: route == .endLease(epoch))
        case .watch: return try await self.watch(request, target.query, context)
        case .jobs(let route):
            return try await self.answerJobs(
                route, request, target, by: token?.label ?? "", context.channel)
        case .shards(let route):
            return try await self.answerShards(
                route, request, target.query, by: token?.label ?? "", context.channel)
        case .uploads(let route):
            return try await self.answerUploads(route, target.query, by: token?.label ?? "")
        case .sessions(let route): return try await self.answerSessions(route, target.query)
        case .cache:
            return try self.plain(target) { JSONText.response(.ok, CacheAnswer(self.cache?.statistics())) }
        case .transfers: return try await self.listTransfers(target.query)
        case .transfer(let id):
            try QueryReader(target.query).finish()
            return try await self.showTransfer(id)
        case .webhook(let route):
            return try await self.answerWebhooks(
                route, request, target.query, context.channel, by: token?.label ?? "")
        case .schedule(let route):
            return try await self.answerSchedules(
                route, request, target.query, context.channel, by: token?.label ?? "")
        case .accounts, .createAccount, .account, .changeAccount, .recount, .keys, .createKey, .revokeKey:
            do {
                return try await self.answerAccounts(route, request, target, context.channel)
            } catch let error as AccountDeskError {
                throw AdminProblems.problem(error)
            }
        }
    }

    private static let document = Response(
        status: .ok, headers: [.contentType: "application/json"],
        body: ResponseBody(byteBuffer: ByteBuffer(bytes: PackageResources.openapi_json)))

    /// For what takes no query parameter.
    private func plain(_ target: RequestTarget, _ answer: () throws -> Response) throws -> Response {
        try QueryReader(target.query).finish()
        return try answer()
    }

    /// Nil where no token is needed.
    private func token(
        _ headers: HTTPFields, _ least: OperatorToken.Role?
    ) async throws(Problem) -> OperatorToken? {
        guard let least else { return nil }
        let token: OperatorToken
        do throws(AccessError) {
            let words = (headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer" else { throw AccessError.denied }
            token = try await self.gatekeeper.token(String(words[1]))
        } catch { throw AdminProblems.problem(error) }
        guard token.role.covers(least) else {
            throw Problem(
                .forbidden, .forbidden,
                "the token “\(token.label)” has the role \(token.role.rawValue); this needs \(least.rawValue)"
            ).with("role", token.role.rawValue)
        }
        return token
    }

    // MARK: - Cluster and nodes

    /// Members' load is as of the last view that was read.
    func view() throws(Problem) -> ClusterView {
        guard let view = self.standing.view() else {
            throw AdminProblems.notServing("the node has not joined the cluster yet")
        }
        return view
    }

    private func showCluster() throws(Problem) -> Response {
        JSONText.response(.ok, ClusterAnswer(try self.view(), standing: self.standing.standing()))
    }

    private func listNodes(_ query: [RequestTarget.QueryItem]) throws(Problem) -> Response {
        let page = try NodeFilters(query).page(try self.view().members)
        return JSONText.response(.ok, PageAnswer(page.members.map(NodeAnswer.init), next: page.next))
    }

    /// A living node before a dead one that had the name earlier.
    private func showNode(_ name: String) throws(Problem) -> Response {
        let member = try self.member(name)
        var answer = NodeAnswer(member)
        if member.incarnation == self.standing.standing().right?.incarnation {
            answer.ingress = self.ingress()
        }
        return JSONText.response(.ok, answer)
    }

    func member(_ name: String) throws(Problem) -> Member {
        let named = try self.view().members.filter { $0.name.description == name }
        let found = named.first { $0.status != .dead } ?? named.max { $0.incarnation < $1.incarnation }
        guard let found else { throw AdminProblems.unknown("node", name) }
        return found
    }
}
