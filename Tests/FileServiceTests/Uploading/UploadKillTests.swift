import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import NIOCore
import PostgresStore
import ServiceLifecycle
import Testing

/// A node dies, or is left behind, at each step of an upload; another one goes on.
@Suite(.serialized)
struct UploadKillTests {
    @Test(arguments: Step.ofUploads)
    func `after a death at any step another node goes on at what was acknowledged`(step: Step) async throws {
        try await TestCluster.with { cluster in
            let survivor = try await cluster.node("survivor")
            try await survivor.running {
                try await survivor.put("file", "old")
                let victim = try await cluster.node("victim", gate: Gate(patience: .milliseconds(200)))
                let id = try await survivor.begin("file", 12)
                let acknowledged = Shared<Int64>(0)
                try? await victim.running {
                    for (index, text) in ["hell", "o, f", "leet"].enumerated() {
                        // The second piece is the first that the step can hit, and the last one decides.
                        if index == 1 { victim.gate.stop(at: step) }
                        guard
                            let progress = try? await victim.append(text, to: id, at: Int64(index * 4))
                        else { break }
                        acknowledged.change { $0 = progress.upload.durable }
                    }
                    try await victim.flush()
                }
                #expect(acknowledged.value >= 4)
                // Before and after its death is committed; the file is the old or the new one all the time.
                var offset = try await survivor.offset(of: id)
                #expect(offset >= acknowledged.value, "\(step)")
                #expect(["old", "hello, fleet"].contains(cluster.content("file")), "\(step)")
                try await victim.bury()
                try await survivor.recover(scanning: true)
                #expect(try await survivor.offset(of: id) == offset, "\(step)")
                let text = Array("hello, fleet".utf8)
                while offset < 12 {
                    let piece = String(decoding: text[Int(offset)..<min(Int(offset) + 4, 12)], as: UTF8.self)
                    offset = try await survivor.append(piece, to: id, at: offset).upload.durable
                }
                try await Self.check(cluster, id, survivor, step)
            }
        }
    }

    private static func check(
        _ cluster: TestCluster, _ id: UploadID, _ survivor: TestNode, _ step: Step
    ) async throws {
        #expect(cluster.content("file") == "hello, fleet", "\(step)")
        try await survivor.flush()
        try await survivor.tidy()
        #expect(try await cluster.status(of: id) == .finished, "\(step)")
        let record = try #require(try await cluster.store.transfer(id: id.rawValue))
        #expect(record.status == .completed, "\(step)")
        #expect(record.digest?.description == ProcessDigest.sha256("hello, fleet"), "\(step)")
        // What the victim had, and nobody names any more, goes at last.
        try await survivor.recover(scanning: true)
        #expect(try await cluster.staged().isEmpty, "\(step)")
        #expect(try await cluster.store.departures(limit: 10).isEmpty, "\(step)")
    }

    @Test func `recovery keeps what open uploads need, closes the departure, and removes it when they end`()
        async throws
    {
        try await TestCluster.with { cluster in
            let (one, victim) = (try await cluster.node("one"), try await cluster.node("victim"))
            let id = try await one.begin("a.txt", 6)
            try await victim.running { try await victim.append("abc", to: id, at: 0) }
            // A file that nobody names lies beside it.
            let stray = try await cluster.vault.stage(UUID(), for: victim.right.incarnation)
            _ = try await stray.seal()
            try await victim.bury()
            try await one.recover(scanning: true)
            #expect(try await cluster.store.departures(limit: 1).isEmpty)
            let kept = try await cluster.segments(of: id).map(\.file)
            #expect(try await cluster.staged().map(\.file) == kept && kept.count == 1)
            try await one.running { try await one.uploads.abort(id, by: cluster.caller, reason: "enough") }
            try await one.recover(scanning: true)
            #expect(try await cluster.staged().isEmpty)
            #expect(try await !cluster.vault.stagingIncarnations().contains(victim.right.incarnation))
        }
    }

    @Test func `an older program that clears a dead node leaves its segments to the others`() async throws {
        try await TestCluster.with { cluster in
            let (one, victim) = (try await cluster.node("one"), try await cluster.node("victim"))
            let id = try await one.begin("a.txt", 6)
            try await victim.running { try await victim.append("abc", to: id, at: 0) }
            try await victim.bury()
            // What it does: it lists the folder, unlinks what it finds there unnamed, and removes it.
            let folder = "\(cluster.folder)/.flotilla/staging/i\(victim.right.incarnation)"
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
            try FileManager.default.removeItem(atPath: folder)
            try await one.recover(scanning: true)
            try await one.running {
                #expect(try await one.offset(of: id) == 3)
                try await one.append("def", to: id, at: 3)
                #expect(cluster.content("a.txt") == "abcdef")
            }
            try await one.recover(scanning: true)
            #expect(try await !cluster.vault.stagingIncarnations().contains(victim.right.incarnation))
        }
    }

    @Test func `a file that a decision may name is finished by another one`() async throws {
        try await TestCluster.with { cluster in
            let isAway = Shared(false)
            let away: HookedNames.Hook = { () throws(StoreError) in
                if isAway.value { throw .mayHaveRun("the database is away") }
            }
            let node = try await cluster.node(
                "one", gate: Gate(patience: .milliseconds(100)),
                uploadNames: { HookedNames(inner: $0, beforeDecide: away, beforeRead: away) })
            try await node.running {
                let id = try await node.begin("a.txt", 6)
                try await node.append("abc", to: id, at: 0)
                isAway.change { $0 = true }
                await #expect(throws: UploadError.self) { try await node.append("def", to: id, at: 3) }
                let named = try await cluster.segments(of: id).map(\.file)
                isAway.change { $0 = false }
                try await eventually("it is finished") {
                    (try? await node.offset(of: id)) == 6 && cluster.content("a.txt") == "abcdef"
                }
                let files = try await cluster.segments(of: id).map(\.file)
                #expect(named.count == 1 && files.count == 2 && files.first == named.first)
            }
        }
    }

    /// A body whose bytes come when the test says so.
    private static func slow() -> (body: AsyncStream<ByteBuffer>, feed: AsyncStream<ByteBuffer>.Continuation)
    {
        let (stream, feed) = AsyncStream<ByteBuffer>.makeStream()
        return (stream, feed)
    }

    @Test func `a writer that was left behind adds nothing, whatever it still sends`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let id = try await one.begin("a.txt", 6)
                    let (body, feed) = Self.slow()
                    async let late = one.uploads.append(
                        UploadPiece(offset: 0), to: id, by: cluster.caller, body: body)
                    feed.yield(ByteBuffer(string: "ab"))
                    try await eventually("it is taken") { try await !cluster.segments(of: id).isEmpty }
                    #expect(try await two.offset(of: id) == 0)
                    try await two.append("abcdef", to: id, at: 0)
                    #expect(cluster.content("a.txt") == "abcdef")
                    feed.yield(ByteBuffer(string: "XXXX"))
                    feed.finish()
                    var failure: (any Error)?
                    do { _ = try await late } catch { failure = error }
                    #expect(failure as? UploadError == .taken)
                    #expect(cluster.content("a.txt") == "abcdef")
                }
            }
        }
    }

    @Test func `a newer request at the same node ends the one before, and its bytes count`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 6)
                let (body, feed) = Self.slow()
                async let early = one.uploads.append(
                    UploadPiece(offset: 0), to: id, by: cluster.caller, body: body)
                feed.yield(ByteBuffer(string: "ab"))
                // Noted although nothing more comes.
                feed.yield(ByteBuffer(string: "c"))
                try await eventually("it is taken") { try await !cluster.segments(of: id).isEmpty }
                let offset = try await one.offset(of: id)
                var failure: (any Error)?
                do { _ = try await early } catch { failure = error }
                #expect(failure as? UploadError == .taken)
                let rest = String("abcdef".dropFirst(Int(offset)))
                try await one.append(rest, to: id, at: offset)
                #expect(cluster.content("a.txt") == "abcdef")
                #expect(try await cluster.segments(of: id).count == 1)
                withExtendedLifetime(feed) {}
            }
        }
    }

    @Test func `an offset that another node told is accepted where the upload was before`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let id = try await one.begin("a.txt", 6)
                    try await one.append("abc", to: id, at: 0)
                    // It takes the right away from the first one, which remembers the same offset.
                    #expect(try await two.offset(of: id) == 3)
                    try await one.append("def", to: id, at: 3)
                    #expect(cluster.content("a.txt") == "abcdef")
                    #expect(try await cluster.segments(of: id).map(\.begin) == [0, 3])
                }
            }
        }
    }

    @Test func `a node that stops makes durable what it has, and ends what it receives`() async throws {
        try await TestCluster.with { cluster in
            var limits = UploadLimits()
            // Only the stop notes anything.
            limits.gatheredBytes = 3
            limits.notedAfter = .seconds(3_600)
            let one = try await cluster.node("one", uploads: limits)
            let id = try await one.begin("a.txt", 6)
            let (body, feed) = Self.slow()
            let group = ServiceGroup(services: [one.files, one.uploads], logger: TestCluster.logger)
            async let running: Void = group.run()
            try await eventually("it runs") { one.files.isRunning && one.uploads.isRunning }
            async let early = one.uploads.append(
                UploadPiece(offset: 0), to: id, by: cluster.caller, body: body)
            feed.yield(ByteBuffer(string: "abc"))
            try await eventually("the bytes are written") {
                guard let name = try await cluster.staged().first else { return false }
                let path = "\(cluster.folder)/.flotilla/staging/\(name)"
                return FileManager.default.contents(atPath: path) == Data("abc".utf8)
            }
            #expect(try await cluster.database.store.upload(id)?.0.durable == 0)
            await group.triggerGracefulShutdown()
            var failure: (any Error)?
            do { _ = try await early } catch { failure = error }
            #expect(failure as? UploadError == .taken)
            #expect(try await cluster.database.store.upload(id)?.0.durable == 3)
            try await running
            withExtendedLifetime(feed) {}
        }
    }

    @Test func `a long request notes what it has while it goes on`() async throws {
        try await TestCluster.with { cluster in
            var limits = UploadLimits()
            limits.gatheredBytes = 4
            limits.notedBytes = 8
            let one = try await cluster.node("one", uploads: limits)
            try await one.running {
                let id = try await one.begin("a.txt", 100)
                let (body, feed) = Self.slow()
                async let answer = one.uploads.append(
                    UploadPiece(offset: 0), to: id, by: cluster.caller, body: body)
                feed.yield(ByteBuffer(string: "0123456789"))
                try await eventually("bytes are noted by their number") {
                    try await cluster.database.store.upload(id)?.0.durable == 10
                }
                feed.yield(ByteBuffer(string: "01234"))
                try await eventually("bytes are noted by their age") {
                    try await cluster.database.store.upload(id)?.0.durable == 15
                }
                // Too few to be written for their number, and nothing more comes.
                feed.yield(ByteBuffer(string: "01"))
                try await eventually("bytes are written by their age") {
                    try await cluster.database.store.upload(id)?.0.durable == 17
                }
                feed.finish()
                #expect(try await answer.upload.durable == 17)
            }
        }
    }
}
