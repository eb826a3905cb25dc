import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import NIOCore
import PostgresStore
import Testing
import WorkService

/// What others do to files and accounts in the middle of a copy or a move.
struct CarryDoubtTests {
    private func with(
        _ body: @escaping @Sendable (TestCluster, TestNode) async throws -> Void
    ) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let node = try await cluster.node("one")
            try await node.running { try await body(cluster, node) }
        }
    }

    /// The job's source is another file by the time that it is opened.
    @Test func `the tag that was asked for is asked of the file that is opened`() async throws {
        for kind in [WorkKind.copy, WorkKind.move] {
            try await self.with { cluster, node in
                try cluster.write("acme/a", "agreed")
                let status = try await cluster.vault.status(of: Samples.path("a"), in: cluster.account.name)
                let tag = try #require(status).entityTag.dropFirst().dropLast()
                try await cluster.enqueue(kind, "acme/a", "bob/a", #", "etag": "\"\#(tag)\"""#)
                node.gate.meet(.beforeOpen) { try? cluster.write("acme/a", "another one") }
                guard case .failed(let reason) = try await node.work() else {
                    Issue.record("\(kind): another file was carried")
                    return
                }
                #expect(reason.hasPrefix("acme:/a has the tag"))
                #expect(cluster.read("acme/a") == "another one" && cluster.read("bob/a") == nil)
                #expect(try await cluster.staged().isEmpty)
            }
        }
    }

    @Test func `what was looked at is what is opened, or it is looked at again`() async throws {
        try await self.with { cluster, node in
            try cluster.write("acme/a", "old")
            try await cluster.enqueue(WorkKind.copy, "acme/a", "bob/a")
            node.gate.meet(.beforeOpen) { try? cluster.write("acme/a", "newer") }
            guard case .retry(_, let reason) = try await node.work() else {
                Issue.record("another file was copied")
                return
            }
            #expect(reason == "acme:/a changed while it was read")
            #expect(cluster.read("bob/a") == nil)
            #expect(try await node.work() == .done(note: "copied 5 bytes to bob:/a"))
        }
    }

    /// Copies, and moves within a home; the node dies right after the renaming.
    @Test(arguments: [true, false])
    func `what was shown and taken away before it was logged is not shown again`(
        copies: Bool
    ) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let victim = try await cluster.node("victim", gate: Gate(patience: .milliseconds(100)))
            let survivor = try await cluster.node("survivor")
            let (kind, to) = copies ? (WorkKind.copy, "bob/a") : (WorkKind.move, "acme/b")
            try cluster.write("acme/a", "text")
            try await cluster.enqueue(kind, "acme/a", to)
            try? await victim.running {
                let job = try await victim.claim()
                victim.gate.stop(at: .afterPublish)
                _ = await victim.run(job)
            }
            #expect(cluster.read(to) == "text")
            // Somebody's program takes what comes in, and another file comes to where a move began.
            try FileManager.default.removeItem(atPath: "\(cluster.folder)/homes/\(to)")
            if !copies { try cluster.write("acme/a", "the next one") }
            try await victim.bury()
            try await survivor.running {
                try await survivor.recover(scanning: false)
                _ = try await cluster.database.store.sweepClaims(limit: 10, by: survivor.right)
                guard case .failed(let reason) = try await survivor.work() else {
                    Issue.record("it was done again")
                    return
                }
                #expect(reason.contains("is unknown"), "\(reason)")
            }
            #expect(cluster.read(to) == nil)
            #expect(cluster.read("acme/a") == (copies ? "text" : "the next one"))
            #expect(try await cluster.carried().isEmpty)
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `what a run of unknown outcome has staged goes when the next run has decided`() async throws {
        try await TestCluster.with { cluster in
            let bob = try await cluster.account("bob")
            let node = try await cluster.node("one", gate: Gate(patience: .milliseconds(50)))
            let other = try await cluster.node("two")
            let store = cluster.database.store
            try cluster.write("acme/a", "of the first run")
            let id = try await cluster.enqueue(WorkKind.copy, "acme/a", "bob/a", #", "replace": true"#)
            let operation = ClusterPorts.Operation(
                id: CarryStep.publish.operation(of: id, round: 0), account: bob.id, accountName: bob.name,
                origin: TransferOrigin(
                    node: other.right.name, protocol: "job", client: "job/\(id)", startedAt: Date()))
            try await node.running {
                let job = try await node.claim()
                var claims = HookedClaims(inner: store) { () async throws(StoreError) in
                    do {
                        let staged = try await cluster.vault.stage(
                            operation.id, for: other.right.incarnation)
                        _ = try await staged.append(ByteBuffer(string: "of the next run"))
                        let sealed = try await staged.seal()
                        let next = Publication(
                            operation: operation, path: try Samples.path("a"), staged: sealed.staged,
                            digest: sealed.digest, replaces: true)
                        #expect(try await store.decide([next], by: other.right) == [.decided])
                    } catch {
                        Issue.record("\(error)")
                    }
                    throw .mayHaveRun("the reply was lost")
                }
                claims.beforeRead = { () async throws(StoreError) in throw .notRun("no answer") }
                guard case .retry = await node.run(job, claims: claims) else {
                    Issue.record("a run of unknown outcome is not tried again")
                    return
                }
                try await eventually("nothing is staged") { try await cluster.staged().isEmpty }
                try await eventually("the next run's file is shown") {
                    cluster.read("bob/a") == "of the next run"
                }
                // The log is written after the file is shown.
                try await eventually("it is in the log") {
                    try await cluster.carried() == ["upload bob/a"]
                }
            }
        }
    }

    /// - Parameter name: whose account is disabled while the job runs.
    @Test(arguments: ["acme", "bob"])
    func `an account that is disabled while its copy runs gets nothing and gives nothing`(
        name: String
    ) async throws {
        try await self.with { cluster, node in
            try cluster.write("acme/a", "text")
            try await cluster.enqueue(WorkKind.copy, "acme/a", "bob/a")
            let store = cluster.database.store
            let account = try #require(AccountName(name))
            let job = try await node.claim()
            let end = await node.run(
                job,
                claims: HookedClaims(inner: store) { () async throws(StoreError) in
                    _ = try await store.change(account, AccountChange(enabled: false), ifRevision: nil)
                })
            try await node.end(job, end)
            #expect(cluster.read("bob/a") == nil)
            #expect(try await cluster.carried().isEmpty)
            guard case .retry = end, case .failed(let reason) = try await node.work() else {
                Issue.record("it ended with \(end)")
                return
            }
            #expect(reason.hasSuffix("the account “\(name)” is disabled"))
            #expect(try await cluster.staged().isEmpty)
        }
    }
}
