import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Simulator
import Testing

/// Operations of membership.
extension StorePair {
    func perform(_ operation: Operation) async throws {
        switch operation {
        case .join: try await self.join()
        case .beat: try await self.beat()
        case .pass: try await self.pass(self.lots.pick([20, 20, 20, 70, 70, 600, 4_000]) ?? 20)
        case .drop: try await self.drop()
        case .accuse: try await self.accuse()
        case .leave: try await self.leave()
        case .lead: try await self.lead()
        case .departures: try await self.lookAtDepartures()
        case .claim: try await self.claim()
        case .close: try await self.close()
        case .acquire: try await self.acquire()
        case .end: try await self.end()
        case .force: try await self.force()
        case .sweepDead: try await self.sweepDead()
        case .sweepOverdue: try await self.sweepOverdue()
        case .losses: try await self.lookAtLosses()
        case .decideName: try await self.decideName()
        case .reserve: try await self.reserve()
        case .decideReserved: try await self.decideReserved()
        case .abandon: try await self.abandon()
        case .abandonAll: try await self.abandonAll()
        case .finish: try await self.finish()
        case .enqueueJobs, .claimJobs, .finishJobs, .noteJob, .readClaims, .sweepClaims, .stageJobs,
            .sweepOverdueClaims, .cancelJob, .sendBackJob, .setPolicy, .removePolicy, .tidyJobs,
            .assignShards,
            .takeShards,
            .releaseShards, .reportShards, .pinShard, .moveShard:
            try await self.performWork(operation)
        }
    }

    private func performWork(_ operation: Operation) async throws {
        switch operation {
        case .enqueueJobs: try await self.enqueueJobs()
        case .claimJobs: try await self.claimJobs()
        case .finishJobs: try await self.finishJobs()
        case .noteJob: try await self.noteJob()
        case .readClaims: try await self.readClaims()
        case .sweepClaims: try await self.sweepClaims()
        case .stageJobs: try await self.stageJobs()
        case .sweepOverdueClaims: try await self.sweepOverdueClaims()
        case .cancelJob: try await self.cancelJob()
        case .sendBackJob: try await self.sendBackJob()
        case .setPolicy: try await self.setPolicy()
        case .removePolicy: try await self.removePolicy()
        case .tidyJobs: try await self.tidyJobs()
        case .assignShards: try await self.assignShards()
        case .takeShards: try await self.takeShards()
        case .releaseShards: try await self.releaseShards()
        case .reportShards: try await self.reportShards()
        case .pinShard: try await self.pinShard()
        case .moveShard: try await self.moveShard()
        default: break
        }
    }

    private func join() async throws {
        guard self.nodes.count < 40 else { return }
        let name = self.lots.chance(500) ? "node-\(self.lots.below(4))" : nil
        let incarnation = try self.simulated.nextIncarnation(above: nil)
        self.simulated.hold(incarnation)
        let answer = Result {
            try self.simulated.join(JoinRequest.test(incarnation, named: name.flatMap { NodeName($0) }))
        }
        do {
            let node = try await JoinedNode.join(self.database, named: name, holders: 1)
            self.compare(
                "join", .joined(slot: node.right.slot, name: node.right.name), try answer.get())
            self.nodes.append(Node(real: node))
        } catch let refused as JoinedNode.JoinRefused {
            self.compare("join refused", Self.kind(refused.answer), Self.kind(try answer.get()))
        } catch let error as StoreError {
            self.compare("join failed", Self.kind(error), Self.kind(answer))
        }
    }

    private static func kind(_ answer: JoinAnswer) -> String {
        switch answer {
        case .joined(let slot, let name): "joined \(slot) \(name)"
        case .nameTaken(let member): "name taken by \(member.incarnation)"
        case .full(let limit, let members): "full \(limit) \(members.map(\.incarnation))"
        case .tooOld: "too old"
        }
    }

    private static func kind(_ error: StoreError) -> String {
        if case .refused(let state, _) = error { state } else { "\(error)" }
    }

    private static func kind(_ answer: Result<JoinAnswer, any Error>) -> String {
        switch answer {
        case .success(let answer): Self.kind(answer)
        case .failure(let error): (error as? StoreError).map(Self.kind) ?? "\(error)"
        }
    }

    private func beat() async throws {
        guard let place = self.place(), self.nodes[place].isHeld else { return }
        let right = self.nodes[place].right
        let real = try await self.nodes[place].real.beat()
        let pulse = Pulse(slot: right.slot, incarnation: right.incarnation, load: .idle, capacity: 100)
        self.compare("beat of \(right.incarnation)", real, self.simulated.beat(pulse))
    }

    /// The real clock cannot be set, so the rows grow older instead.
    private func pass(_ seconds: Int) async throws {
        _ = try await self.database.pool.query(
            """
            update flotilla.member
            set hb_at = hb_at - \(seconds) * interval '1 second', up_since = up_since - \(seconds) * interval '1 second',
                joined_at = joined_at - \(seconds) * interval '1 second'
            """)
        _ = try await self.database.pool.query(
            "update flotilla.departed set claimed_at = claimed_at - \(seconds) * interval '1 second'")
        try await self.ageJobs(by: seconds)
        self.simulated.pass(.seconds(seconds))
        self.compare("\(seconds) s pass", 0, 0)
    }

    private func drop() async throws {
        guard let place = self.place(), self.nodes[place].isHeld else { return }
        try await self.nodes[place].real.dropLines()
        let incarnation = self.nodes[place].right.incarnation
        // The server notices a moment later.
        try await eventually("the advisory lock is gone") {
            let rows = try await self.database.pool.query(
                """
                select count(*) from pg_locks
                where locktype = 'advisory' and objid::bigint = \(incarnation.rawValue) & 4294967295
                  and database = (select oid from pg_database where datname = current_database())
                """)
            return try rows.exactlyOne()[0, as: Int.self] == 0
        }
        self.nodes[place].isHeld = false
        self.simulated.letGo(of: incarnation)
        self.compare("lines of \(incarnation) dropped", 0, 0)
    }

    /// Somebody who may accuse: just heard of, and without a gap for long.
    private func trust(_ place: Int) async throws {
        let incarnation = self.nodes[place].right.incarnation
        _ = try await self.database.pool.query(
            """
            update flotilla.member
            set hb_at = clock_timestamp(), up_since = clock_timestamp() - interval '4000 seconds'
            where incarnation = \(incarnation.rawValue)
            """)
        self.simulated.trust(incarnation, chain: .seconds(4_000))
        self.compare("\(incarnation) is trusted", 0, 0)
    }

    /// Most accusers are fit to, most targets live: else nobody would ever die.
    private func accuse() async throws {
        let members = try self.simulated.view().members
        let living = self.nodes.indices.filter { index in
            members.contains { $0.incarnation == self.nodes[index].right.incarnation && $0.status != .dead }
        }
        let mayBeDead = self.lots.chance(150)
        guard let accuser = mayBeDead ? self.place() : self.lots.pick(living),
            let target = mayBeDead ? self.place() : self.lots.pick(living)
        else { return }
        if accuser != target, self.lots.chance(600) {
            if self.lots.chance(500) { try await self.pass(self.lots.pick([70, 600]) ?? 70) }
            try await self.trust(accuser)
        }
        let by = self.nodes[accuser].right
        let of = self.nodes[target].right
        let known = members.first { $0.incarnation == of.incarnation }?.heartbeats ?? 0
        let accusation = Accusation(
            accuserSlot: by.slot, accuser: by.incarnation, target: of.slot,
            targetIncarnation: of.incarnation, heartbeats: known - (self.lots.chance(150) ? 1 : 0),
            watched: .seconds(self.lots.pick([10, 60, 60, 600]) ?? 60))
        let real = try await self.real.accuse(accusation)
        if real { self.kills += 1 }
        self.compare(
            "\(by.incarnation) accuses \(of.incarnation), watched \(accusation.watched)", real,
            try self.simulated.accuse(accusation))
    }

    private func leave() async throws {
        guard let place = self.place() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.leave(slot: right.slot, incarnation: right.incarnation)
        self.compare(
            "leave of \(right.incarnation)", real,
            try self.simulated.leave(slot: right.slot, incarnation: right.incarnation))
    }

    private func lead() async throws {
        guard let place = self.place() else { return }
        let claim = LeadClaim(
            right: self.nodes[place].right, term: self.term - (self.lots.chance(200) ? 1 : 0))
        let real = try await self.real.takeLead(claim)
        self.compare("lead of \(claim.right.incarnation)", real, try self.simulated.takeLead(claim))
        self.term = real?.term ?? self.term
    }

    private func lookAtDepartures() async throws {
        let real = try await self.real.departures(limit: 3)
        self.compare(
            "departures", real.map { [$0.incarnation.description, $0.name.description, $0.reason] },
            try self.simulated.departures(limit: 3).map {
                [$0.incarnation.description, $0.name.description, $0.reason]
            })
    }

    private func claim() async throws {
        guard let place = self.place(), let departed = try await self.departed() else { return }
        let right = self.nodes[place].right
        let real = try await self.real.claimDeparture(of: departed, by: right)
        self.compare(
            "\(right.incarnation) claims \(departed)", real,
            try self.simulated.claimDeparture(of: departed, by: right))
    }

    private func close() async throws {
        guard let place = self.place(), let departed = try await self.departed() else { return }
        let right = self.nodes[place].right
        try await self.real.closeDeparture(of: departed, by: right)
        try self.simulated.closeDeparture(of: departed, by: right)
    }

    func departed() async throws -> Incarnation? {
        self.lots.pick(try self.simulated.departures(limit: 100).map(\.incarnation).sorted())
    }

    /// One of the nodes, dead ones included; the newest more often.
    func place() -> Int? {
        guard !self.nodes.isEmpty else { return nil }
        let recent = min(self.nodes.count, 8)
        return self.nodes.count - 1 - self.lots.below(recent)
    }
}
