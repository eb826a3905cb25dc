import ClusterModel
import ClusterPorts
import ClusterTestKit
import Crypto
import FileService
import Foundation
import PostgresStore
import Testing
import WorkService

/// Many copies and moves by nodes that die again and again; afterwards the disk is held against the log.
@Suite(.serialized)
struct CarryCrashTests {
    private struct Errand: Sendable {
        var kind: JobKind
        var from: String
        var to: String
        var text: String
        var id: JobID
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `a hundred copies and moves end exactly once, whoever dies`(seed: UInt64) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                var numbers = SeededNumbers(seed)
                var errands: [Errand] = []
                for number in 0..<100 {
                    errands.append(try await self.errand(number, cluster, &numbers))
                }
                var lives = 0
                while try await self.isOpen(cluster) {
                    lives += 1
                    guard lives < 400 else {
                        Issue.record("seed \(seed): jobs are left after \(lives) lives")
                        return
                    }
                    try await self.life(lives, cluster, survivor, &numbers)
                }
                try await survivor.recover(scanning: true)
                try await survivor.flush()
                try await self.judge(errands, cluster)
            }
        }
    }

    private func errand(
        _ number: Int, _ cluster: TestCluster, _ numbers: inout SeededNumbers
    ) async throws -> Errand {
        let kind = Bool.random(using: &numbers) ? WorkKind.copy : WorkKind.move
        let from = "acme/in/\(number)"
        let to = Bool.random(using: &numbers) ? "bob/out/\(number)" : "acme/out/\(number)"
        let text = String(repeating: "\(number)-", count: .random(in: 0...1_500, using: &numbers))
        try cluster.write(from, text)
        let replaces = Bool.random(using: &numbers)
        if replaces { try cluster.write(to, "what stood there") }
        let more = #", "parents": true, "replace": \#(replaces)"#
        return Errand(
            kind: kind, from: from, to: to, text: text,
            id: try await cluster.enqueue(kind, from, to, more))
    }

    private func isOpen(_ cluster: TestCluster) async throws -> Bool {
        try await cluster.database.store.counts([.state]).contains {
            [.ready, .later, .waiting, .claimed].contains($0.state)
        }
    }

    /// A node does some jobs, dies at some step, or is only told to drain; then its claims are swept.
    private func life(
        _ life: Int, _ cluster: TestCluster, _ survivor: TestNode, _ numbers: inout SeededNumbers
    ) async throws {
        let node = try await cluster.node("life-\(life)", gate: Gate(patience: .milliseconds(50)))
        let jobs = Int.random(in: 1...4, using: &numbers)
        let step = Step.allCases.randomElement(using: &numbers)
        let drains = Int.random(in: 0..<10, using: &numbers) == 0
        let dyingAt = Int.random(in: 1...jobs, using: &numbers)
        try? await node.running {
            for number in 1...jobs where !node.gate.isClosed {
                guard let job = try await node.claimAny() else { break }
                if number == dyingAt { node.gate.stop(at: step) }
                let end = await node.run(job, drains: drains)
                guard !node.gate.isClosed else { break }
                try await node.end(job, end)
            }
            try await node.flush()
        }
        try await node.bury()
        if Bool.random(using: &numbers) { try await survivor.recover(scanning: false) }
        _ = try await cluster.database.store.sweepClaims(limit: 100, by: survivor.right)
        // Reservations of the dead must not keep a job waiting for ever.
        if life.isMultiple(of: 10) { try await survivor.recover(scanning: false) }
    }

    private func judge(_ errands: [Errand], _ cluster: TestCluster) async throws {
        let completed = try await cluster.transfers { $0.status = .completed }
        let byID = Dictionary(completed.map { ($0.id, $0) }) { first, _ in first }
        var counted = 0
        for errand in errands {
            #expect(cluster.read(errand.to) == errand.text, "\(errand.to)")
            #expect((cluster.read(errand.from) == nil) == (errand.kind == WorkKind.move), "\(errand.from)")
            func records(_ step: CarryStep) -> [TransferRecord] {
                (0..<CarryStep.rounds).compactMap { byID[step.operation(of: errand.id, round: $0)] }
            }
            let (published, renamed, removed) = (records(.publish), records(.rename), records(.remove))
            counted += published.count + renamed.count + removed.count
            #expect(published.count + renamed.count == 1, "\(errand.to)")
            #expect(removed.count <= published.count && (errand.kind == WorkKind.move || removed.isEmpty))
            for record in published {
                let digest = Digest(Array(SHA256.hash(data: Data(errand.text.utf8))))
                #expect(record.digest == digest && record.size == errand.text.utf8.count)
            }
        }
        // Nobody else has published anything: each record is a job's, and each is counted.
        #expect(counted == completed.count)
        #expect(try await cluster.transfers { $0.status = .running }.isEmpty)
        #expect(try await cluster.staged().isEmpty)
        #expect(try await JobPlaces.faults(cluster.database.pool) == [])
        let ended = try await cluster.database.store.counts([.state])
        #expect(ended.map(\.state) == [.done], "\(ended)")
    }
}
