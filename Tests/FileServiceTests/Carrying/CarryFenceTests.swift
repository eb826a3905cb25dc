import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresStore
import Testing
import WorkService

/// Two runs of one job: only the one that holds the claim decides.
struct CarryFenceTests {
    /// The first run is held right before its statement; its claim is taken away, another node does the job, and then
    /// somebody uploads a newer file to the target.
    ///
    /// Answers what stands at the target after the first run went on.
    private func race(
        _ kind: JobKind, _ more: String = "", naive: Bool
    ) async throws -> (target: String?, end: JobEnd, carried: [String]) {
        let answer = Shared<(String?, JobEnd, [String])?>(nil)
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let (old, new) = (try await cluster.node("old"), try await cluster.node("new"))
            try cluster.write("bob/a", "text")
            let id = try await cluster.enqueue(kind, "bob/a", "acme/a", more)
            try await old.running {
                try await new.running {
                    let job = try await old.claim()
                    let store = cluster.database.store
                    let isFirst = Shared(true)
                    let inner: any ClaimedNames = naive ? NaiveClaims(names: cluster.store) : store
                    let held = HookedClaims(inner: inner) { () async throws(StoreError) in
                        guard isFirst.value else { return }
                        isFirst.change { $0 = false }
                        do {
                            #expect(try await store.cancel([id], by: "test", reason: nil) == [id])
                            #expect(try await store.retry([id], by: "test") == [id])
                            guard case .done = try await new.work() else { throw TestCluster.NotJoined() }
                            try await new.flush()
                            if kind == WorkKind.move { try cluster.write("bob/a", "second") }
                            try await new.put("a", "newer")
                        } catch {
                            Issue.record("\(error)")
                        }
                    }
                    let end = await old.run(job, claims: held)
                    try await old.flush()
                    let carried = try await cluster.carried()
                    if kind == WorkKind.move { #expect(cluster.read("bob/a") == "second") }
                    answer.change { $0 = (cluster.read("acme/a"), end, carried) }
                }
            }
        }
        let (target, end, carried) = try #require(answer.value)
        return (target, end, carried)
    }

    @Test func `a copy whose claim was taken away decides nothing`() async throws {
        let (target, end, carried) = try await self.race(
            WorkKind.copy, #", "replace": true"#, naive: false)
        #expect(target == "newer")
        guard case .retry = end else {
            Issue.record("the fenced run ended with \(end)")
            return
        }
        #expect(carried == ["upload acme/a"])
    }

    @Test func `a move whose claim was taken away decides nothing`() async throws {
        let (target, _, carried) = try await self.race(WorkKind.move, #", "replace": true"#, naive: false)
        #expect(target == "newer")
        #expect(carried == ["delete bob/a", "upload acme/a"])
    }

    @Test func `the twin that does not prove the claim is caught`() async throws {
        let (target, _, _) = try await self.race(WorkKind.copy, #", "replace": true"#, naive: true)
        #expect(
            target == "text", "the naive twin has not overwritten the newer file: the race proves nothing")
    }

    @Test(arguments: [true, false])
    func `a decision whose reply was lost is found by its id`(carriesOut: Bool) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let node = try await cluster.node("one")
            try cluster.write("acme/a", "text")
            try await cluster.enqueue(WorkKind.move, "acme/a", "bob/a")
            try await node.running {
                let job = try await node.claim()
                let names = cluster.database.store.names(holding: job.title, enabled: [])
                let forgetful = NaiveClaims(names: ForgetfulNames(names, carriesOut: carriesOut))
                let end = await node.run(job, claims: forgetful)
                try await node.end(job, end)
                if case .retry = end { try await node.work() }
                try await node.flush()
                #expect(cluster.read("bob/a") == "text" && cluster.read("acme/a") == nil)
                #expect(try await cluster.carried() == ["delete acme/a", "upload bob/a"])
                #expect(try await cluster.staged().isEmpty)
            }
        }
    }
}
