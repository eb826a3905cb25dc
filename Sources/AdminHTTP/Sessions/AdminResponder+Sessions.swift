package import ClusterModel
import ClusterPorts
import HTTPDoor
import HTTPTypes
import Hummingbird

/// Asks other nodes at their admin doors.
package protocol SessionPeers: Sendable {
    /// The node's open transfers; nil when it does not answer within two seconds, or not well.
    ///
    /// - Parameter authorization: of this question to this incarnation.
    func sessions(of member: Member, authorization: String) async -> NodeSessionsAnswer?
}

/// Open transfers of every node: the one that is asked asks the others.
extension AdminResponder {
    /// Nodes that are asked at a time.
    private static let askedAtOnce = 32

    func answerSessions(
        _ route: SessionRoute, _ items: [RequestTarget.QueryItem]
    ) async throws -> Response {
        switch route {
        case .here:
            try QueryReader(items).finish()
            return JSONText.response(.ok, NodeSessionsAnswer(self.sessions()))
        case .list:
            let filters = try SessionFilters(items)
            let (answers, missing) = try await self.askAll(filters)
            return JSONText.response(.ok, SessionsAnswer(answers, missing: missing, filters: filters))
        }
    }

    /// Whether the request comes from another node of this cluster, and may ask this without a token.
    func isSealed(_ headers: HTTPFields, _ route: AdminRoute) -> Bool {
        guard route == .sessions(.here), let own = self.standing.standing().right?.incarnation
        else { return false }
        return self.seal?.isRight(headers[.authorization], NodeSeal.sessionsHere, at: own) ?? false
    }

    private func askAll(
        _ filters: SessionFilters
    ) async throws(Problem) -> ([NodeSessionsAnswer], missing: [NodeName]) {
        let own = self.standing.standing().right?.incarnation
        let others = try self.view().members.filter { member in
            member.status != .dead && member.incarnation != own
                && (filters.node == nil || filters.node == member.name.description)
        }
        var answers = [NodeSessionsAnswer(self.sessions())]
        var missing: [NodeName] = []
        await withTaskGroup(of: (Member, NodeSessionsAnswer?).self) { group in
            var waiting = others[...]
            for member in waiting.prefix(Self.askedAtOnce) {
                group.addTask { (member, await self.ask(member, from: own)) }
            }
            waiting = waiting.dropFirst(Self.askedAtOnce)
            while let (member, answer) = await group.next() {
                if let answer { answers.append(answer) } else { missing.append(member.name) }
                guard let next = waiting.popFirst() else { continue }
                group.addTask { (next, await self.ask(next, from: own)) }
            }
        }
        return (answers, missing)
    }

    private func ask(_ member: Member, from own: Incarnation?) async -> NodeSessionsAnswer? {
        guard let peers = self.peers, let seal = self.seal, let own else { return nil }
        return await peers.sessions(
            of: member,
            authorization: seal.text(NodeSeal.sessionsHere, from: own, to: member.incarnation))
    }
}
