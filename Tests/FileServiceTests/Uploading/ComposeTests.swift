import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresDriver
import PostgresStore
import Testing

/// Uploads that are put together from partial ones.
@Suite(.serialized)
struct ComposeTests {
    /// Two whole parts, each at a node of its own, the second one in two segments.
    private static func parts(_ one: TestNode, _ two: TestNode) async throws -> [UploadID] {
        let first = try await one.beginPart(5)
        try await one.append("hello", to: first, at: 0)
        let second = try await two.beginPart(7)
        try await two.append(", fl", to: second, at: 0)
        try await one.append("eet", to: second, at: 4)
        return [first, second]
    }

    @Test func `parts at several nodes become one file, and their own files go`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let parts = try await Self.parts(one, two)
                    #expect(try await one.offset(of: parts[1]) == 7)
                    #expect(try await cluster.segments(of: parts[1]).count == 2)
                    let done = try await two.compose("a.txt", parts)
                    #expect(done.receipt?.digest.description == ProcessDigest.sha256("hello, fleet"))
                    #expect(cluster.content("a.txt") == "hello, fleet")
                    #expect(try await cluster.staged().isEmpty)
                    for part in parts { #expect(try await cluster.status(of: part) == .finished) }
                    try await two.flush()
                    let status = try await one.uploads.status(done.upload.id, by: cluster.caller).upload
                    #expect(status.status == .finished && status.durable == 12 && status.parts == parts)
                    // The answer was lost, and it is asked for once more.
                    let again = try await one.compose("a.txt", parts)
                    #expect(again.upload.id == done.upload.id)
                    await #expect(throws: UploadError.unfit(parts[0], .given(done.upload.id))) {
                        try await one.compose("b.txt", parts)
                    }
                }
            }
        }
    }

    @Test func `what cannot be a part is named, and nothing is made`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let whole = try await one.begin("other", 3)
                try await one.append("a", to: whole, at: 0)
                let short = try await one.beginPart(3)
                try await one.append("ab", to: short, at: 0)
                let gone = try await one.beginPart(1)
                try await one.uploads.abort(gone, by: cluster.caller, reason: "enough")
                let strange = UploadID(UUID())
                for (id, fault) in [
                    (whole, PartFault.notPartial), (short, .unfinished(durable: 2, length: 3)),
                    (gone, .ended(reason: "enough")), (strange, .unknown),
                ] {
                    await #expect(throws: UploadError.unfit(id, fault)) {
                        try await one.compose("a.txt", [id])
                    }
                }
                #expect(cluster.content("a.txt") == nil)
                // Refused ones take nothing from it.
                try await one.append("c", to: short, at: 2)
                #expect(try await one.compose("a.txt", [short]).receipt != nil)
                #expect(cluster.content("a.txt") == "abc")
            }
        }
    }

    @Test func `nobody adds to one that is put together`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let part = try await one.beginPart(3)
                try await one.append("abc", to: part, at: 0)
                let done = try await one.compose("a.txt", [part])
                await #expect(throws: UploadError.composed) {
                    try await one.append("x", to: done.upload.id, at: 3)
                }
                await #expect(throws: UploadError.composed) {
                    try await one.append("", to: done.upload.id, at: 0)
                }
                #expect(cluster.content("a.txt") == "abc")
            }
        }
    }

    @Test func `a sign of work keeps others from taking an upload, as long as it is given`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let id = try await one.begin("a.txt", 3) { $0.replaces = false }
                    try await one.put("a.txt", "old")
                    await #expect(throws: UploadError.self) { try await one.append("abc", to: id, at: 0) }
                    let upload = try #require(try await cluster.database.store.upload(id)?.0)
                    let title = UploadTitle(upload: id, epoch: try #require(upload.epoch))
                    #expect(try await cluster.database.store.work(title, isOn: true, by: one.right))
                    await #expect(throws: UploadError.working) { try await two.offset(of: id) }
                    await #expect(throws: UploadError.working) { try await two.append("", to: id, at: 3) }
                    #expect(try await !cluster.database.store.work(title, isOn: true, by: two.right))
                    #expect(try await cluster.database.store.work(title, isOn: false, by: one.right))
                    _ = try await one.files.remove(
                        try Samples.path("a.txt"), by: cluster.caller, recursive: false, ifMatch: nil)
                    #expect(try await two.offset(of: id) == 3 && cluster.content("a.txt") == "abc")
                }
            }
        }
    }

    @Test func `a part that its client ended ends the whole, where it was not made yet`() async throws {
        try await TestCluster.with { cluster in
            let two = try await cluster.node("two")
            try await two.running {
                let victim = try await cluster.node("victim", gate: Gate(stopsAt: .beforeCopy))
                let parts = try await Self.parts(two, two)
                try? await victim.running { _ = try? await victim.compose("a.txt", parts) }
                let final = try #require(try await cluster.database.store.upload(parts[0])?.0.partOf)
                try await two.uploads.abort(parts[1], by: cluster.caller, reason: "enough")
                try await cluster.forgetWork(of: final)
                await #expect(throws: UploadError.ended(reason: "its part \(parts[1]) has ended")) {
                    try await two.uploads.status(final, by: cluster.caller)
                }
                #expect(try await cluster.status(of: final) == .aborted)
                // The other one is free again.
                #expect(try await two.compose("b.txt", [parts[0]]).receipt?.size == 5)
            }
        }
    }

    @Test(arguments: Step.ofComposing)
    func `after a death at any step another node puts it together`(step: Step) async throws {
        try await TestCluster.with { cluster in
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                try await survivor.put("file", "old")
                let parts = try await Self.parts(survivor, survivor)
                let victim = try await cluster.node("victim", gate: Gate(patience: .milliseconds(200)))
                try? await victim.running {
                    victim.gate.stop(at: step)
                    _ = try? await victim.compose("file", parts)
                    try await victim.flush()
                }
                let final = try #require(try await cluster.database.store.upload(parts[0])?.0.partOf)
                #expect(["old", "hello, fleet"].contains(cluster.content("file")), "\(step)")
                let row = try #require(try await cluster.database.store.upload(final)?.0)
                if row.isWorkedOn {
                    // Believed for a few seconds more; nobody else begins.
                    let seen = try await survivor.uploads.status(final, by: cluster.caller)
                    #expect(seen.upload.status == .open && seen.receipt == nil, "\(step)")
                    try await cluster.forgetWork(of: final)
                }
                try await victim.bury()
                try await survivor.recover(scanning: true)
                let done = try await survivor.uploads.status(final, by: cluster.caller)
                #expect(done.upload.durable == 12, "\(step)")
                #expect(cluster.content("file") == "hello, fleet", "\(step)")
                try await Self.check(cluster, final, survivor, step)
            }
        }
    }

    private static func check(
        _ cluster: TestCluster, _ final: UploadID, _ survivor: TestNode, _ step: Step
    ) async throws {
        try await survivor.flush()
        try await survivor.tidy()
        _ = try await survivor.uploads.status(final, by: cluster.caller)
        #expect(try await cluster.status(of: final) == .finished, "\(step)")
        let record = try #require(try await cluster.store.transfer(id: final.rawValue))
        #expect(record.status == .completed, "\(step)")
        #expect(record.digest?.description == ProcessDigest.sha256("hello, fleet"), "\(step)")
        // Parts whose node died behind the decision go when they expire.
        for _ in 0..<2 {
            _ = try await cluster.database.pool.query(
                "update flotilla.upload set expires_at = clock_timestamp() - interval '1 s'")
            try await survivor.tidy()
        }
        try await survivor.recover(scanning: true)
        #expect(try await cluster.staged().isEmpty, "\(step)")
        #expect(cluster.content("file") == "hello, fleet", "\(step)")
    }

    @Test func `two requests for the same make one`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let parts = try await Self.parts(one, two)
                    async let first = one.compose("a.txt", parts)
                    async let second = two.compose("a.txt", parts)
                    let (left, right) = (try await first, try await second)
                    #expect(left.upload.id == right.upload.id)
                    try await eventually("it is made") { cluster.content("a.txt") == "hello, fleet" }
                    let made = try await cluster.database.store.uploads(UploadQuery())
                    #expect(made.filter { $0.0.isComposed }.count == 1)
                }
            }
        }
    }
}
