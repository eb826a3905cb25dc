import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import NIOCore
import Testing

/// What changes cost an account with a quota, one after the other.
@Suite struct QuotaTests {
    @Test func `each change costs exactly the difference`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 100)
            let node = try await cluster.node("one")
            try await node.running {
                func expect(_ bytes: Int64, _ files: Int64, _ what: String) async throws {
                    #expect(try await cluster.use() == HomeUse(bytes: bytes, files: files), "\(what)")
                    #expect(try await cluster.onDisk() == HomeUse(bytes: bytes, files: files), "\(what)")
                }
                try await node.put("a", "0123456789")
                try await expect(10, 1, "a file")
                try await node.put("a", "0123")
                try await expect(4, 1, "a shorter one instead")
                try await node.put("d/e/b", "012345") { $0.makesParents = true }
                try await expect(10, 2, "a second one")
                _ = try await node.files.makeFolder(
                    try Samples.path("empty"), by: cluster.caller, parents: false)
                try await node.move("d/e", "empty/f")
                try await node.move("a", "moved")
                try await expect(10, 2, "moves")
                try await node.put("moved", "01234567") { $0.ifMatch = "*" }
                try await expect(14, 2, "a conditional write")
                try await node.remove("moved")
                try await expect(6, 1, "a removal")
                try await node.put("empty/c", "abc")
                try await node.remove("empty")
                try await expect(0, 0, "a folder's removal")
            }
        }
    }

    @Test func `what does not fit is refused, and leaves nothing and takes nothing`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 10, files: 2)
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("a", "01234567")
                await #expect(
                    throws: FileServiceError.overQuota(
                        QuotaRefusal(
                            quota: Quota(bytes: 10, files: 2), use: HomeUse(bytes: 8, files: 1),
                            need: HomeUse(bytes: 3, files: 1)))
                ) { try await node.put("b", "012") }
                await #expect { try await node.put("a", "0123456789a") } throws: {
                    TestCluster.isOverQuota($0)
                }
                #expect(cluster.content("a") == "01234567" && cluster.content("b") == nil)
                try await node.put("b", "01")
                // Nothing to write is a file as well.
                #expect(try await node.fits("c", "") == false)
                #expect(try await cluster.use() == HomeUse(bytes: 10, files: 2))
                #expect(try await cluster.staged().isEmpty)
                // Whoever is above may shrink.
                try await cluster.limit(bytes: 1)
                #expect(try await node.fits("a", "0123"))
                #expect(try await node.fits("a", "01234") == false)
                try await node.remove("b")
                #expect(try await cluster.use() == HomeUse(bytes: 4, files: 1))
                // No name is left behind.
                #expect(try await cluster.openNames() <= 1)
            }
            #expect(try await cluster.openNames() == 0)
        }
    }

    @Test func `bytes that cannot fit are refused before they come, or while they come`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 10)
            let node = try await cluster.node("one")
            let caller = cluster.caller(bytes: 10)
            try await node.running {
                let asked = Shared(0)
                await #expect {
                    try await node.files.put(
                        try Samples.path("a"), by: caller, options: PutOptions(), expectedLength: 11,
                        body: CountedBody(asked: asked, pieces: 11))
                } throws: { TestCluster.isOverQuota($0) }
                #expect(asked.value == 0)
                await #expect {
                    try await node.files.put(
                        try Samples.path("a"), by: caller, options: PutOptions(), expectedLength: nil,
                        body: CountedBody(asked: asked, pieces: 1_000))
                } throws: { TestCluster.isOverQuota($0) }
                #expect(asked.value == 11)
                try await node.put("a", "0123456789")
                // What it replaces makes room.
                _ = try await node.files.put(
                    try Samples.path("a"), by: caller, options: PutOptions(), expectedLength: 10,
                    body: Body("abcdefghij"))
                #expect(try await cluster.use() == HomeUse(bytes: 10, files: 1))
                #expect(try await cluster.staged().isEmpty)
            }
        }
    }

    @Test func `a large folder's removal is counted afterwards, and never refused wrongly for good`()
        async throws
    {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 100)
            var limits = FileLimits()
            limits.countedEntries = 2
            let node = try await cluster.node("one", limits: limits)
            try await node.running {
                for name in ["a", "b", "c"] {
                    try await node.put("d/\(name)", "0123456789") { $0.makesParents = true }
                }
                try await cluster.count(at: node)
                #expect(try await cluster.quota()?.isPending == false)
                try await node.remove("d")
                let pending = try #require(try await cluster.quota())
                #expect(pending.use.bytes == 30 && pending.isPending)
                try await cluster.count(at: node)
                let counted = try #require(try await cluster.quota())
                #expect(counted.use == .none && !counted.isPending && counted.countedAt != nil)
            }
        }
    }

    @Test func `a decision that turns out impossible gives its cost back`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 100)
            let node = try await cluster.node("one")
            try await node.running {
                // Another program puts something there after the look.
                node.gate.meet(.beforePublish) { try? cluster.drop("a", "strange") }
                await #expect(throws: FileServiceError.self) {
                    try await node.put("a", "0123456789") { $0.replaces = false }
                }
                try await node.flush()
                #expect(cluster.content("a") == "strange")
                #expect(try await cluster.use() == .none)
            }
        }
    }

    @Test func `open uploads take room from one another, and what was noted stays`() async throws {
        try await TestCluster.with { cluster in
            try await cluster.limit(bytes: 10)
            let node = try await cluster.node("one")
            let caller = cluster.caller(bytes: 10)
            @Sendable func begin(_ path: String, _ length: Int64?) async throws -> UploadID {
                let request = UploadRequest(path: try Samples.path(path), dialect: .tus, length: length)
                return try await node.uploads.create(request, by: caller).upload.id
            }
            @Sendable func append(_ text: String, _ id: UploadID, _ offset: Int64) async throws {
                _ = try await node.uploads.append(
                    UploadPiece(offset: offset), to: id, by: caller, body: Body(text))
            }
            @Sendable func isRefused(_ error: any Error) -> Bool {
                if case .file(.overQuota) = error as? UploadError { return true }
                return false
            }
            try await node.running {
                await #expect { _ = try await begin("a", 11) } throws: { isRefused($0) }
                let first = try await begin("a", 10)
                try await append("012345", first, 0)
                #expect(try await cluster.quota()?.open == 6)
                await #expect { _ = try await begin("b", 5) } throws: { isRefused($0) }
                // One that does not say its length is stopped when it has come so far.
                let second = try await begin("b", nil)
                await #expect { try await append("012345", second, 0) } throws: { isRefused($0) }
                #expect(try await node.uploads.status(second, by: caller).upload.durable == 3)
                try await node.uploads.abort(second, by: caller, reason: "no room")
                try await append("6789", first, 6)
                #expect(cluster.content("a") == "0123456789")
                #expect(try await cluster.use() == HomeUse(bytes: 10, files: 1))
                #expect(try await cluster.quota()?.open == 0)
            }
        }
    }

    @Test func `a limit that is taken away is forgotten, and one that is set anew counts what is there`()
        async throws
    {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("before", "01234")
                #expect(try await cluster.quota() == nil)
                try await cluster.limit(bytes: 8)
                #expect(try await cluster.quota()?.isPending == true)
                try await node.flush()
                try await cluster.count(at: node)
                #expect(try await cluster.use() == HomeUse(bytes: 5, files: 1))
                #expect(try await node.fits("more", "0123") == false)
                try await cluster.limit()
                #expect(try await cluster.quota() == nil)
                #expect(try await node.fits("more", "0123456789"))
                try await cluster.limit(files: 3)
                try await node.flush()
                try await cluster.count(at: node)
                #expect(try await cluster.use() == HomeUse(bytes: 15, files: 2))
                #expect(try await node.fits("x", "0"))
                #expect(try await node.fits("y", "0") == false)
            }
        }
    }
}

/// One byte a piece; says how many were asked for.
struct CountedBody: AsyncSequence, Sendable {
    let asked: Shared<Int>
    let pieces: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        let asked: Shared<Int>
        var left: Int

        mutating func next() async throws -> ByteBuffer? {
            guard self.left > 0 else { return nil }
            self.left -= 1
            self.asked.change { $0 += 1 }
            return ByteBuffer(string: "x")
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(asked: self.asked, left: self.pieces) }
}
