import ClusterModel
import ClusterPorts
import ClusterTestKit
import Crypto
import FileService
import Foundation
import NIOCore
import ServiceLifecycle
import Testing

struct PutTests {
    @Test func `a node that stops begins no download, and logs those that end soon`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running { try await node.put("a", "content") }
            let path = try Samples.path("a")
            let other = try await cluster.node("two")
            let group = ServiceGroup(services: [other.log], logger: TestCluster.logger)
            try await withThrowingTaskGroup { tasks in
                tasks.addTask { try await group.run() }
                let download = try await other.files.open(path, by: cluster.caller)
                await group.triggerGracefulShutdown()
                try await eventually("it refuses more") {
                    do {
                        await (try await other.files.open(path, by: cluster.caller)).ended(
                            sent: 0, failure: nil)
                        return false
                    } catch FileServiceError.notServing {
                        return true
                    }
                }
                await download.ended(sent: 7, failure: nil)
                try await tasks.waitForAll()
            }
            let records = try await cluster.transfers { $0.kind = .download }
            #expect(records.contains { $0.size == 7 && $0.status == .completed })
            #expect(other.log.backlog == 0)
        }
    }

    @Test func `what one node acknowledged another one shows, with the same tag`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                let receipt = try await one.put("a.txt", "hello, fleet", expected: 12)
                #expect(receipt.created)
                #expect(receipt.size == 12)
                let path = try Samples.path("a.txt")
                let status = try await two.files.status(of: path, by: cluster.caller)
                #expect(status.entityTag == receipt.entityTag)
                let download = try await two.files.open(path, by: cluster.caller)
                let bytes = try await download.read(from: 0, count: 100)
                #expect(String(buffer: bytes) == "hello, fleet")
                await download.ended(sent: 12, failure: nil)
                #expect(try await !one.put("a.txt", "again").created)
                try await one.flush()
                let record = try #require(try await cluster.store.transfer(id: receipt.transfer))
                #expect(record.status == .completed)
                #expect(record.digest == receipt.digest)
                #expect(record.size == 12)
                #expect(record.origin.node == one.right.name)
            }
            #expect(try await cluster.staged().isEmpty)
            try await two.running {}
            #expect(try await cluster.transfers { $0.kind = .download }.map(\.size) == [12])
        }
    }

    @Test func `a node whose staging was reclaimed says so, and not that nothing is there`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("there", "before")
                let staging = "\(cluster.folder)/.flotilla/staging/i\(node.right.incarnation)"
                try FileManager.default.removeItem(atPath: staging)
                let dead = FileServiceError.notServing(
                    reason: "this node was taken for dead", retryAfterSeconds: 1)
                for length in [0, 5, 300_000] {
                    await #expect(throws: dead) {
                        try await node.put(
                            "there", String(repeating: "x", count: length), expected: Int64(length))
                    }
                    await #expect(throws: dead) {
                        try await node.put("new", String(repeating: "x", count: length))
                    }
                }
                await #expect(throws: dead) {
                    try await node.files.makeFolder(
                        try Samples.path("folder"), by: cluster.caller, parents: false)
                }
            }
            #expect(cluster.content("there") == "before")
        }
    }

    @Test func `a body that is not what was promised leaves the old file and a failed transfer`() async throws
    {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("a", "old")
                await #expect(throws: FileServiceError.bodyTooShort(expected: 9, received: 3)) {
                    try await node.put("a", "new", expected: 9)
                }
                await #expect(throws: FileServiceError.bodyTooLong(expected: 2)) {
                    try await node.put("a", "new", expected: 2)
                }
                let digest = try #require(Digest([UInt8](repeating: 0, count: 32)))
                await #expect(throws: FileServiceError.self) {
                    try await node.put("a", "new") { $0.expectedDigest = digest }
                }
                await #expect(throws: FileServiceError.self) {
                    try await node.files.put(
                        try Samples.path("a"), by: cluster.caller, options: PutOptions(), expectedLength: 9,
                        body: Body("new", breaks: true))
                }
            }
            #expect(cluster.content("a") == "old")
            #expect(try await cluster.staged().isEmpty)
            #expect(try await cluster.transfers { $0.status = .failed }.count == 4)
            #expect(try await cluster.transfers { $0.status = .running }.isEmpty)
        }
    }

    /// A small one in one call of the mount, others as they come, and one whose client waits behind a look.
    @Test func `bodies of all sizes arrive whole, with their digests`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                for (count, step) in [
                    (0, 1), (1, 1), (262_143, 9_999), (262_144, 65_536), (262_145, 1), (3_000_000, 70_001),
                ] {
                    for isBodyAskedFor in [false, true] {
                        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
                        var options = PutOptions()
                        options.isBodyAskedFor = isBodyAskedFor
                        let receipt = try await node.files.put(
                            try Samples.path("a"), by: cluster.caller, options: options,
                            expectedLength: step == 1 ? nil : Int64(count),
                            body: Chunks(bytes: bytes, step: step))
                        #expect(receipt.size == Int64(count))
                        #expect(receipt.digest == Digest(Array(SHA256.hash(data: bytes))))
                        #expect(
                            FileManager.default.contents(atPath: "\(cluster.folder)/homes/acme/a")
                                == Data(bytes))
                        let shown = try await cluster.vault.status(
                            of: try Samples.path("a"), in: cluster.account.name)
                        #expect(shown?.entityTag == receipt.entityTag)
                    }
                }
            }
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `a small body takes one call of the mount, an awaited one is looked at before`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                let appended = Shared(0)
                for isBodyAskedFor in [false, true] {
                    node.gate.meet(.beforeAppend) { appended.change { $0 += 1 } }
                    try await node.put("a", "content") { $0.isBodyAskedFor = isBodyAskedFor }
                    #expect(appended.value == (isBodyAskedFor ? 1 : 0))
                }
                // Nobody asks for a body that is not welcome.
                await #expect(throws: FileServiceError.parentMissing(try Samples.path("x"))) {
                    var options = PutOptions()
                    options.isBodyAskedFor = true
                    return try await node.files.put(
                        try Samples.path("x/a"), by: cluster.caller, options: options, expectedLength: 1,
                        body: Body("never asked for", breaks: true))
                }
            }
        }
    }

    @Test func `an upload needs its folder, or leave to make it`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                await #expect(throws: FileServiceError.parentMissing(try Samples.path("x/y"))) {
                    try await node.put("x/y/z", "1")
                }
                try await node.put("x/y/z", "1") { $0.makesParents = true }
                #expect(cluster.content("x/y/z") == "1")
                await #expect(throws: FileServiceError.isFolder(try Samples.path("x/y"))) {
                    try await node.put("x/y", "1")
                }
                await #expect(throws: FileServiceError.self) { try await node.put("x/y/z/below", "1") }
                await #expect(throws: FileServiceError.isHome) { try await node.put("", "1") }
            }
        }
    }

    @Test func `preconditions hold between the look and the decision`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                let first = try await node.put("a", "1") { $0.replaces = false }
                await #expect(throws: FileServiceError.changed(entityTag: first.entityTag)) {
                    try await node.put("a", "2") { $0.replaces = false }
                }
                let second = try await node.put("a", "2") { $0.ifMatch = first.entityTag }
                await #expect(throws: FileServiceError.changed(entityTag: second.entityTag)) {
                    try await node.put("a", "3") { $0.ifMatch = first.entityTag }
                }
            }
            #expect(cluster.content("a") == "2")
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `of many who create one name exactly one wins`() async throws {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    let wins = await withTaskGroup(of: Bool.self) { group in
                        for number in 0..<20 {
                            let node = number.isMultiple(of: 2) ? one : two
                            group.addTask {
                                (try? await node.put("a", "content \(number)") { $0.replaces = false }) != nil
                            }
                        }
                        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                    }
                    #expect(wins == 1)
                }
            }
            #expect(try await cluster.transfers { $0.status = .completed }.count == 1)
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `two nodes that write one name a hundred times each leave one whole content and a true log`()
        async throws
    {
        try await TestCluster.with { cluster in
            let (one, two) = (try await cluster.node("one"), try await cluster.node("two"))
            try await one.running {
                try await two.running {
                    try await withThrowingTaskGroup { group in
                        for node in [one, two] {
                            group.addTask {
                                for number in 0..<100 {
                                    try await node.put("a", "\(node.right.name) wrote number \(number)")
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
            let content = try #require(cluster.content("a"))
            #expect(content.hasSuffix("wrote number 99"))
            let records = try await cluster.transfers { $0.kind = .upload }
            #expect(records.count == 200)
            #expect(records.allSatisfy { $0.status == .completed })
            let sealed = try await cluster.vault.status(of: try Samples.path("a"), in: cluster.account.name)
            #expect(sealed?.size == Int64(content.utf8.count))
            #expect(try await cluster.staged().isEmpty)
            for node in [one, two] {
                #expect(try await cluster.store.unfinished(of: node.right.incarnation, limit: 10).isEmpty)
            }
        }
    }

    @Test func `a node that was taken for dead decides nothing more`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("a", "old")
                try await node.flush()
                try await node.bury()
                for change in [{ _ in }, { $0.ifMatch = "*" }] as [@Sendable (inout PutOptions) -> Void] {
                    await #expect(throws: FileServiceError.self) { try await node.put("a", "late", change) }
                }
                await #expect(throws: FileServiceError.self) {
                    try await node.files.remove(
                        try Samples.path("a"), by: cluster.caller, recursive: false, ifMatch: nil)
                }
                // It cannot write its failures either: the log is no longer its business.
                node.gate.stop(at: .beforeFinish)
                _ = node.gate.stops(.beforeFinish)
            }
            #expect(cluster.content("a") == "old")
        }
    }

    @Test func `a node that does not serve begins nothing`() async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node("one")
            try await node.running {
                try await node.put("a", "old")
                for standing in [
                    Standing.outside, .draining(node.right, ConfigVersion(1)), .stale(node.right),
                    .isolated(node.right),
                ] {
                    node.standing.set(standing)
                    await #expect(throws: FileServiceError.self) { try await node.put("a", "new") }
                }
                node.standing.set(.serving(node.right, ConfigVersion(1)))
                try await node.put("a", "new")
            }
            #expect(cluster.content("a") == "new")
        }
    }

    @Test(arguments: [true, false])
    func `a lost reply is resolved by reading the row`(carriesOut: Bool) async throws {
        try await TestCluster.with { cluster in
            let node = try await cluster.node(
                "one", names: { ForgetfulNames($0, carriesOut: carriesOut) })
            try await node.running {
                if carriesOut {
                    let receipt = try await node.put("a", "new")
                    #expect(cluster.content("a") == "new")
                    try await node.flush()
                    #expect(try await cluster.store.transfer(id: receipt.transfer)?.status == .completed)
                } else {
                    await #expect(throws: FileServiceError.self) { try await node.put("a", "new") }
                    #expect(cluster.content("a") == nil)
                    #expect(try await cluster.staged().isEmpty)
                }
                try await node.put("a", "later")
            }
            #expect(cluster.content("a") == "later")
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test(arguments: [true, false])
    func `an upload of unknown outcome does not run for ever`(carriesOut: Bool) async throws {
        try await TestCluster.with { cluster in
            // Long enough to be listed as running, and longer than the node waits for the database.
            let node = try await cluster.node(
                "one", gate: Gate(patience: .milliseconds(2_500)),
                names: { ForgetfulNames($0, carriesOut: carriesOut, silentFor: .seconds(4)) })
            try await node.running {
                await #expect(throws: FileServiceError.self) { try await node.put("a", "new") }
                #expect(try await cluster.transfers { $0.status = .running }.count == 1)
                try await eventually("the upload has ended") {
                    try await cluster.transfers { $0.status = .running }.isEmpty
                }
            }
            let ended = try await cluster.transfers()
            #expect(ended.map(\.status) == [carriesOut ? .completed : .failed])
            #expect(cluster.content("a") == (carriesOut ? "new" : nil))
            #expect(try await cluster.staged().isEmpty)
        }
    }
}

/// A body in pieces of one size.
private struct Chunks: AsyncSequence, Sendable {
    let bytes: [UInt8]
    let step: Int

    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<UInt8>
        let step: Int

        mutating func next() async throws -> ByteBuffer? {
            guard !self.rest.isEmpty else { return nil }
            defer { self.rest = self.rest.dropFirst(self.step) }
            return ByteBuffer(bytes: self.rest.prefix(self.step))
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: self.bytes[...], step: self.step) }
}
