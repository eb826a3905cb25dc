import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import NIOCore
import PostgresDriver
import Testing

/// Resumable uploads at nodes that live.
struct ResumableTests {
    static let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  // Of “abc”.

    @Test func `pieces at one node make one segment, and one file with its digest`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 3)
                #expect(try await one.append("a", to: id, at: 0).upload.durable == 1)
                #expect(try await one.append("b", to: id, at: 1).receipt == nil)
                #expect(cluster.content("a.txt") == nil)
                let last = try await one.append("c", to: id, at: 2)
                #expect(last.receipt?.digest.description == Self.digest)
                #expect(last.receipt?.created == true)
                #expect(cluster.content("a.txt") == "abc")
                #expect(try await cluster.segments(of: id).count == 1)
                #expect(try await cluster.staged().isEmpty)
                try await one.flush()
                let status = try await one.uploads.status(id, by: cluster.caller).upload
                #expect(status.status == .finished && status.digest?.description == Self.digest)
                let record = try #require(try await cluster.store.transfer(id: id.rawValue))
                #expect(record.status == .completed && record.size == 3 && record.origin.protocol == "tus")
                // The last answer was lost: it hears that all is there.
                #expect(try await one.append("", to: id, at: 3).upload.durable == 3)
            }
        }
    }

    @Test func `pieces at changing nodes make a segment each, and the same file`() async throws {
        try await TestCluster.with { cluster in
            let nodes = [try await cluster.node("one"), try await cluster.node("two")]
            try await nodes[0].running {
                try await nodes[1].running {
                    let id = try await nodes[0].begin("a.txt", 12)
                    var sent: Int64 = 0
                    for (turn, text) in ["hel", "lo, ", "", "fle", "et"].enumerated() {
                        let progress = try await nodes[turn % 2].append(text, to: id, at: sent)
                        sent += Int64(text.utf8.count)
                        #expect(progress.upload.durable == sent)
                    }
                    #expect(cluster.content("a.txt") == "hello, fleet")
                    #expect(try await cluster.segments(of: id).map(\.begin) == [0, 3, 7, 7, 10])
                    #expect(try await cluster.staged().isEmpty)
                }
            }
            let records = try await cluster.transfers()
            #expect(records.first?.digest?.description == Self.fleet)
        }
    }

    /// Of “hello, fleet”.
    static let fleet = ProcessDigest.sha256("hello, fleet")

    @Test func `what came before the client went away counts, and nothing of a piece that must be whole`()
        async throws
    {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 6)
                await #expect(throws: UploadError.self) {
                    try await one.append("abc", to: id, at: 0, breaks: true)
                }
                #expect(try await one.offset(of: id) == 3)
                await #expect(throws: UploadError.self) {
                    try await one.append("xxx", to: id, at: 3, breaks: true) { $0.isAtomic = true }
                }
                #expect(try await one.offset(of: id) == 3)
                let last = try await one.append("def", to: id, at: 3) { $0.isAtomic = true }
                #expect(cluster.content("a.txt") == "abcdef")
                #expect(last.receipt?.digest.description == ProcessDigest.sha256("abcdef"))
            }
        }
    }

    @Test func `a wrong offset, a wrong length, too many bytes and others' uploads are refused`() async throws
    {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 6)
                try await one.append("abc", to: id, at: 0)
                await #expect(throws: UploadError.wrongOffset(durable: 3)) {
                    try await one.append("b", to: id, at: 2)
                }
                await #expect(throws: UploadError.wrongLength(6)) {
                    try await one.append("d", to: id, at: 3) { $0.length = 7 }
                }
                await #expect(throws: UploadError.tooLong(length: 6)) {
                    try await one.append("defg", to: id, at: 3)
                }
                var stranger = cluster.caller
                stranger.account = Account(
                    id: AccountID(UUID()), name: stranger.account.name, enabled: true, passwordHash: nil,
                    createdAt: Date(), changedAt: Date(), revision: 1)
                await #expect(throws: UploadError.notFound) {
                    try await one.uploads.status(id, by: stranger)
                }
                await #expect(throws: UploadError.notFound) {
                    try await one.uploads.status(UploadID(UUID()), by: cluster.caller)
                }
                #expect(cluster.content("a.txt") == nil)
            }
        }
    }

    @Test func `a length may be said late, and an upload of nothing is whole at once`() async throws {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let empty = try await one.begin("empty", 0)
                #expect(cluster.content("empty") == "")
                #expect(try await cluster.status(of: empty) == .decided)
                let late = try await one.begin("late", nil)
                try await one.append("abc", to: late, at: 0)
                try await one.append("def", to: late, at: 3) { $0.length = 6 }
                #expect(cluster.content("late") == "abcdef")
                let later = try await one.begin("later", nil)
                try await one.append("abc", to: later, at: 0)
                try await one.append("", to: later, at: 3) { $0.length = 3 }
                #expect(cluster.content("later") == "abc")
            }
        }
    }

    @Test func `an abort takes the files away, and ends what still comes`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                let id = try await one.begin("a.txt", 6)
                try await one.append("abc", to: id, at: 0)
                try await two.uploads.abort(id, by: cluster.caller, reason: "by its owner")
                #expect(try await cluster.staged().isEmpty)
                await #expect(throws: UploadError.self) { try await one.append("def", to: id, at: 3) }
                #expect(cluster.content("a.txt") == nil)
                #expect(try await cluster.status(of: id) == .aborted)
            }
        }
    }

    @Test func `what stands there stays if it must, and the upload is finished when its way is free`()
        async throws
    {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 3) { $0.replaces = false }
                try await one.put("a.txt", "old")
                await #expect(throws: UploadError.self) { try await one.append("abc", to: id, at: 0) }
                #expect(cluster.content("a.txt") == "old")
                await #expect(throws: UploadError.self) {
                    try await one.uploads.status(id, by: cluster.caller)
                }
                _ = try await one.files.remove(
                    try Samples.path("a.txt"), by: cluster.caller, recursive: false, ifMatch: nil)
                let done = try await one.uploads.status(id, by: cluster.caller)
                #expect(done.receipt?.size == 3 && cluster.content("a.txt") == "abc")
                // The file was sound all the time.
                #expect(try await cluster.segments(of: id).count == 1)
            }
        }
    }

    @Test func `what a node has forgotten costs a new segment`() async throws {
        try await TestCluster.with { cluster in
            var limits = UploadLimits()
            limits.remembered = 2
            let one = try await cluster.node("one", uploads: limits)
            try await one.running {
                var ids: [UploadID] = []
                for number in 0..<6 {
                    let id = try await one.begin("file-\(number)", 6)
                    try await one.append("abc", to: id, at: 0)
                    ids.append(id)
                }
                #expect(one.uploads.rememberedCount <= 2)
                for id in ids { try await one.append("def", to: id, at: 3) }
                for number in 0..<6 { #expect(cluster.content("file-\(number)") == "abcdef") }
                #expect(try await cluster.segments(of: ids[0]).count == 2)
                #expect(try await cluster.staged().isEmpty)
            }
        }
    }

    @Test func `uploads that nobody comes back for are aborted, and go with all that they had`() async throws
    {
        try await TestCluster.with { cluster in
            let one = try await cluster.node("one")
            try await one.running {
                let id = try await one.begin("a.txt", 6)
                try await one.append("abc", to: id, at: 0)
                let done = try await one.begin("b.txt", 3)
                try await one.append("abc", to: done, at: 0)
                try await one.flush()
                try await one.tidy()
                #expect(try await cluster.status(of: id) == .open)
                #expect(try await cluster.status(of: done) == .finished)
                for _ in 0..<2 {
                    _ = try await cluster.database.pool.query(
                        "update flotilla.upload set expires_at = clock_timestamp() - interval '1 s'")
                    try await one.tidy()
                }
                #expect(try await cluster.status(of: id) == nil)
                #expect(try await cluster.status(of: done) == nil)
                #expect(try await cluster.staged().isEmpty)
                #expect(cluster.content("b.txt") == "abc")
            }
        }
    }
}
