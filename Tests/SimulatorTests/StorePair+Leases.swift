import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresStore
import Simulator
import Testing

/// Operations of leasing.
extension StorePair {
    private func request() throws -> LeaseRequest {
        let kind = try #require(LeaseKind("job"))
        let number = self.lots.below(10)
        let subject = try #require(LeaseSubject(kind: kind, id: "\(number)"))
        switch number % 4 {
        case 1: return LeaseRequest(subject: subject, orderKey: LeaseSubject(kind: kind, id: "order"))
        case 2: return LeaseRequest(subject: subject, limit: LeaseLimit(key: "few", slots: 2))
        case 3: return LeaseRequest(subject: subject, deadline: .seconds(5))
        default: return LeaseRequest(subject: subject)
        }
    }

    func acquire() async throws {
        guard let place = self.place() else { return }
        var requests: [LeaseRequest] = []
        for _ in 0...self.lots.below(3) {
            let request = try self.request()
            if !requests.contains(where: { $0.subject == request.subject }) { requests.append(request) }
        }
        let right = self.nodes[place].right
        let real = try await self.real.acquire(requests, by: right)
        let simulated = try self.simulated.acquire(requests, by: right)
        self.compare(
            "\(right.incarnation) acquires \(requests.map(\.subject))", real.map(Self.kind),
            simulated.map(Self.kind))
        for (index, request) in requests.enumerated() {
            guard case .granted(let epoch) = real[index], case .granted(let other) = simulated[index] else {
                continue
            }
            self.epochs[LeaseTitle(subject: request.subject, epoch: epoch)] = other
        }
    }

    private static func kind(_ answer: LeaseAnswer) -> String {
        if case .granted = answer { "granted" } else { "\(answer)" }
    }

    /// A real title of the past or the present, and the simulated one of the same grant.
    private func title() -> (LeaseTitle, LeaseTitle)? {
        let newest = self.epochs.keys.sorted { $0.epoch < $1.epoch }.suffix(12)
        guard let title = self.lots.pick(Array(newest)), let other = self.epochs[title] else { return nil }
        return (title, LeaseTitle(subject: title.subject, epoch: other))
    }

    func end() async throws {
        guard let (title, other) = self.title() else { return }
        let holder = try self.simulated.leases(of: [title.subject]).first?.incarnation
        let own = self.nodes.firstIndex { $0.right.incarnation == holder }
        guard let place = self.lots.chance(750) ? own ?? self.place() : self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.end([title], by: right)
        self.compare(
            "\(right.incarnation) ends \(title.subject)", real, try self.simulated.end([other], by: right))
    }

    func force() async throws {
        guard let (title, other) = self.title() else { return }
        let real = try await self.real.forceEnd(title)
        self.compare(
            "an operator takes \(title.subject)", real.map(LeaseShape.init),
            try self.simulated.forceEnd(other).map(LeaseShape.init))
    }

    func sweepDead() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        // Which go first of many is left to the server.
        let limit = 1_000
        let real = try await self.real.sweepDead(limit: limit, by: right)
        self.compare(
            "\(right.incarnation) sweeps the dead", real.map(LeaseShape.init),
            try self.simulated.sweepDead(limit: limit, by: right).map(LeaseShape.init))
    }

    func sweepOverdue() async throws {
        guard let place = self.place(), let (title, other) = self.title() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.sweepOverdue([title], by: right)
        self.compare(
            "\(right.incarnation) sweeps \(title.subject) as overdue", real.map(\.subject),
            try self.simulated.sweepOverdue([other], by: right).map(\.subject))
        let deadlines: [LeaseRecord] = try await self.real.deadlines(after: nil, limit: 100)
        self.compare(
            "deadlines", deadlines.map(LeaseShape.init),
            try self.simulated.deadlines(after: nil, limit: 100).map(LeaseShape.init))
    }

    func lookAtLosses() async throws {
        guard let place = self.place() else { return }
        let incarnation = self.nodes[place].right.incarnation
        let real = try await self.real.losses(of: incarnation, after: 0)
        self.compare(
            "losses of \(incarnation)", real.map { "\($0.number) \($0.title.subject)" },
            try self.simulated.losses(of: incarnation, after: 0).map { "\($0.number) \($0.title.subject)" })
    }
}
