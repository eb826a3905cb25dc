import ClusterModel
import ClusterPorts

/// Every kind of commit by a live member: a refusal of the dead shows something only where the living succeed.
struct Rehearsal {
    let scene: Scene
    let evictor: Evictor

    /// Nobody else may be there but the evictor, who never leads.
    ///
    /// - Throws: when a kind is refused although nothing stands against it.
    func run(on line: BeatingLine) async throws {
        let victim = try await self.scene.join()
        let stock = SharedStock(try await victim.stockUp())
        try await self.leaveLeasesOfSomebodyDead()
        // First the lead, then what only a leader writes.
        let kinds = [CommitKind.takeLead] + CommitKind.allCases.filter { $0 != .takeLead }
        for kind in kinds {
            let accepted = try await victim.attempt(kind, stock, line: line)
            guard accepted == true else {
                throw SceneError(description: "\(kind) is refused to a live member: it would show nothing")
            }
            self.scene.tally.tried(kind, isStale: false, accepted: true, story: "")
        }
        try await self.evictor.evict(victim, .order)
        self.scene.tally.change { $0.evictions += 1 }
        let life = Life(victim: victim, stock: stock, line: line, isEvicted: { true })
        try await life.run()
        try await life.judgeOrder()
        try await life.clear()
    }

    private func leaveLeasesOfSomebodyDead() async throws {
        let other = try await self.scene.join()
        _ = try await other.stockUp()
        try await self.evictor.evict(other, .order)
    }
}
