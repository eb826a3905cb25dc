package import ClusterModel
import ClusterPorts
import Coordinator
import Logging

/// What a node says of itself when it joins.
package struct NodeProfile: Sendable {
    /// Nil takes `worker-N` of the free slot N.
    package var name: NodeName?
    package var addresses: NodeAddresses
    package var version: String
    package var knownSchema: Int
    package var attributes: [String: String]
    package var capacity: Int
    /// Database connections that one node may hold at most.
    package var connections: Int

    package init(
        name: NodeName?, addresses: NodeAddresses, version: String, knownSchema: Int,
        attributes: [String: String],
        capacity: Int, connections: Int
    ) {
        self.name = name
        self.addresses = addresses
        self.version = version
        self.knownSchema = knownSchema
        self.attributes = attributes
        self.capacity = capacity
        self.connections = connections
    }
}

/// Carries out the steps of joining that need no heartbeat: the mount's binding, the incarnation, and the slot.
struct Joiner: Sendable {
    let store: any ClusterStore
    let mount: any MountGuard
    let logger: Logger

    /// Makes sure that mount and database are each other's; answers the mount's identity.
    func bindMount(_ facts: ClusterFacts) async throws -> MountIdentity {
        do {
            let identity = try await self.mount.identity()
            switch MountBinding.judge(facts, mount: identity) {
            case .bound:
                return MountIdentity(cluster: facts.cluster, nonce: try self.nonce(of: identity))
            case .record(let nonce):
                return try await self.record(nonce, facts)
            case .establish:
                guard let nonce = MountNonce((0..<16).map { _ in UInt8.random(in: 0...255) }) else {
                    throw RuntimeError.mountTrouble("no nonce could be made")
                }
                let proposed = MountIdentity(cluster: facts.cluster, nonce: nonce)
                let winner = try await self.mount.establish(proposed)
                guard winner.cluster == facts.cluster else {
                    throw RuntimeError.foreignMount(
                        "it belongs to cluster \(winner.cluster), and this database is cluster \(facts.cluster)."
                    )
                }
                return try await self.record(winner.nonce, facts)
            case .refuse(let reason):
                throw RuntimeError.foreignMount(reason)
            }
        } catch let error as VaultError {
            throw RuntimeError.mountTrouble(error.description)
        }
    }

    private func nonce(of identity: MountIdentity?) throws -> MountNonce {
        guard let identity else { throw RuntimeError.mountTrouble("its identity vanished") }
        return identity.nonce
    }

    private func record(_ nonce: MountNonce, _ facts: ClusterFacts) async throws -> MountIdentity {
        let recorded = try await self.store.recordMount(nonce)
        guard recorded == nonce else {
            throw RuntimeError.foreignMount(
                "it is \(nonce), and cluster \(facts.cluster) has its files on \(recorded). "
                    + "Two nodes were started on two folders at once.")
        }
        return MountIdentity(cluster: facts.cluster, nonce: nonce)
    }

    /// Draws an incarnation that neither the database nor the mount has seen.
    func drawIncarnation() async throws -> Incarnation {
        for _ in 0..<5 {
            do {
                let floor = try await self.mount.highestIncarnation()
                let incarnation = try await self.store.nextIncarnation(above: floor)
                if try await self.mount.note(incarnation) { return incarnation }
            } catch let error as VaultError {
                throw RuntimeError.mountTrouble(error.description)
            }
        }
        throw RuntimeError.incarnationUsed("five in a row had been used on this mount before")
    }

    /// For those in the way, and for a database that does not run the join.
    private static let patience: Duration = .seconds(15)
    private static let lookEvery: Duration = .milliseconds(250)

    /// Takes a slot.
    ///
    /// Waits for those in the way who stand still, evicts them when it may, and gives up when all live.
    /// Answers the right and when the statement that gave it left.
    func takeSlot(_ request: JoinRequest) async throws -> (NodeRight, sentAt: ClusterInstant) {
        var watch = JoinerWatch()
        let started = SteadyClock.now()
        while true {
            let inTheWay: [Member]
            let refusal: RuntimeError
            let sentAt = SteadyClock.now()
            switch try await self.attempt(request, since: started) {
            case nil:
                try await Task.sleep(for: Self.lookEvery)
                continue
            case .joined(let slot, let name):
                return (NodeRight(slot: slot, incarnation: request.incarnation, name: name), sentAt)
            case .nameTaken(let member):
                inTheWay = [member]
                refusal = .nameTaken(
                    name: member.name.description,
                    node: "\(member.addresses.host):\(member.addresses.filesPort)")
            case .full(let limit, let members):
                inTheWay = members
                refusal = .clusterFull(limit: limit)
            case .tooOld(let needs):
                throw RuntimeError.programTooOld(needs: needs, knows: request.knownSchema)
            }
            let now = SteadyClock.now()
            switch watch.look(at: inTheWay, now: now) {
            case .giveUp: throw refusal
            case .wait: break
            case .accuse(let stood): try await self.accuse(stood, as: request.incarnation)
            }
            guard now.since(started) < Self.patience else { throw refusal }
            try await Task.sleep(for: Self.lookEvery)
        }
    }

    /// A lost answer is looked up, not repeated: the view tells whether the incarnation has joined.
    ///
    /// If it has not, it must not try again: the first statement might land when this incarnation has lived, died and lost its row.
    ///
    /// Nil: it surely did not run, so the incarnation is as good as before.
    private func attempt(_ request: JoinRequest, since started: ClusterInstant) async throws -> JoinAnswer? {
        do {
            return try await self.store.join(request)
        } catch {
            if case .notRun = error, SteadyClock.now().since(started) < Self.patience { return nil }
            guard case .mayHaveRun = error else { throw error }
            let view = try await self.store.view()
            if let member = view.members.first(where: { $0.incarnation == request.incarnation }) {
                return .joined(slot: member.slot, name: member.name)
            }
            throw JoinInDoubt(incarnation: request.incarnation)
        }
    }

    private func accuse(_ stood: [JoinerWatch.Stood], as joiner: Incarnation) async throws {
        for other in stood {
            let accusation = Accusation(
                accuserSlot: Slot(0), accuser: joiner, target: other.slot,
                targetIncarnation: other.incarnation,
                heartbeats: other.heartbeats, watched: other.watched)
            if try await self.store.accuse(asJoiner: accusation) {
                self.logger.warning(
                    "evicted a member that stood still",
                    metadata: ["member.incarnation": "\(other.incarnation)"])
            }
        }
    }
}
