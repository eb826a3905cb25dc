import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore

/// A healthy member that declares victims dead, in every way that there is.
struct Evictor: Sendable {
    enum Way: CaseIterable, Sendable {
        /// An operator's order.
        case order
        /// A member's accusation: crashed.
        case accusation
        /// The accusation of somebody who wants the slot: silent.
        case joinersAccusation
    }

    let scene: Scene
    let right: NodeRight
    private let beats: BeatingThread

    /// Joins, and goes on beating.
    static func join(_ scene: Scene) async throws -> Evictor {
        let incarnation = try await scene.store.nextIncarnation(above: nil)
        let beats = BeatingThread(scene.lines, for: incarnation, every: .milliseconds(100))
        try await eventually("the evictor's line") { beats.isOpen }
        let right = try await scene.join(incarnation).right
        beats.begin(right)
        let evictor = Evictor(scene: scene, right: right, beats: beats)
        try await eventually("the evictor's first heartbeat") {
            try await scene.pool.query(
                "select hb_seq > 0 from flotilla.member where incarnation = \(incarnation.rawValue)"
            ).first?[0, as: Bool.self] ?? false
        }
        return evictor
    }

    /// What an accusation rests on, made by hand, because real ones take half a second and five.
    func prepare(_ way: Way, against victim: Victim) async throws {
        guard way != .order else { return }
        _ = try await self.scene.pool.query(
            """
            update flotilla.member set hb_at = hb_at - interval '10 s'
            where incarnation = \(victim.right.incarnation.rawValue)
            """)
    }

    /// Returns once the database has answered that it is dead.
    func evict(_ victim: Victim, _ way: Way) async throws {
        switch way {
        case .order: break
        case .accusation:
            for _ in 0..<2 {
                let watched = self.accusation(of: victim, watched: .seconds(1))
                if try await self.scene.store.accuse(watched) {
                    return self.scene.tally.change { $0.accusations += 1 }
                }
                try await self.trust()
            }
        case .joinersAccusation:
            let watched = self.accusation(of: victim, watched: .seconds(6))
            if try await self.scene.store.accuse(asJoiner: watched) {
                return self.scene.tally.change { $0.joinersAccusations += 1 }
            }
        }
        // A chain that broke because the machine is busy is no reason to let the victim live.
        guard try await self.scene.store.evict(victim.right.incarnation, reason: "by order") else {
            throw SceneError(description: "\(victim.right) was dead before it was evicted")
        }
    }

    /// A new chain is as good as an old one here.
    private func trust() async throws {
        _ = try await self.scene.pool.query(
            """
            update flotilla.member set up_since = up_since - interval '10 s'
            where incarnation = \(self.right.incarnation.rawValue)
            """)
    }

    private func accusation(of victim: Victim, watched: Duration) -> Accusation {
        Accusation(
            accuserSlot: self.right.slot, accuser: self.right.incarnation, target: victim.right.slot,
            targetIncarnation: victim.right.incarnation, heartbeats: 0, watched: watched)
    }

    /// Takes some leases of the dead, as every node does.
    func sweep() async throws { _ = try await self.scene.store.sweepDead(limit: 20, by: self.right) }

    func leave() async throws {
        self.beats.stop()
        _ = try await self.scene.store.leave(slot: self.right.slot, incarnation: self.right.incarnation)
    }
}
