import ClusterModel
import ClusterPorts
import ClusterTestKit
import FileService
import Foundation
import PostgresDriver
import PostgresStore
import Testing
import WorkService

/// Copies and moves by jobs, while nothing goes wrong but what is asked for.
struct CarryTests {
    private func with(
        _ body: @escaping @Sendable (TestCluster, TestNode) async throws -> Void
    ) async throws {
        try await TestCluster.with { cluster in
            _ = try await cluster.account("bob")
            let node = try await cluster.node("one")
            try await node.running { try await body(cluster, node) }
        }
    }

    @Test func `a copy is whole, logged with its digest, and told as an event, once`() async throws {
        try await self.with { cluster, node in
            _ = try await cluster.database.pool.query(
                """
                insert into flotilla.webhook (id, name, enabled, events, url, secret)
                values (gen_random_uuid(), 'w', true, '{file.published,file.removed}', 'http://127.0.0.1:9/', 'x')
                """)
            let text = String(repeating: "0123456789", count: 1_000)
            try cluster.write("acme/out/a", text)
            try await cluster.enqueue(WorkKind.copy, "acme/out/a", "bob/a")
            let job = try await node.claim()
            #expect(await node.run(job) == .done(note: "copied 10000 bytes to bob:/a"))
            #expect(cluster.read("bob/a") == text)
            #expect(cluster.read("acme/out/a") == text)
            try await node.flush()
            let record = try #require(try await cluster.transfers().first)
            #expect(record.origin.protocol == "job" && record.origin.client == "job/\(job.title.job)")
            #expect(record.size == 10_000 && record.digest != nil && record.kind == .upload)
            #expect(record.id == CarryStep.publish.operation(of: job.title.job, round: 0))
            // Its end was lost, and the file has changed since: the second run leaves it alone.
            try cluster.write("bob/a", "newer")
            #expect(
                await node.run(job) == .done(note: "bob:/a was published by an earlier attempt"))
            #expect(cluster.read("bob/a") == "newer")
            #expect(try await cluster.carried() == ["upload bob/a"])
            let events = try await cluster.database.pool.query("select kind, account from flotilla.event")
            #expect(try events.map { try $0[0, as: String.self] } == ["file.published"])
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `a move within a home renames, and one that replaces or leaves it copies and clears`()
        async throws
    {
        try await self.with { cluster, node in
            try cluster.write("acme/a", "one")
            let inode = try await cluster.vault.status(of: Samples.path("a"), in: cluster.account.name)
            try await cluster.enqueue(WorkKind.move, "acme/a", "acme/new/b", #", "parents": true"#)
            #expect(try await node.work() == .done(note: "moved to acme:/new/b"))
            let moved = try await cluster.vault.status(of: Samples.path("new/b"), in: cluster.account.name)
            #expect(moved?.identity == inode?.identity && cluster.read("acme/a") == nil)
            try cluster.write("acme/c", "two")
            try await cluster.enqueue(WorkKind.move, "acme/c", "acme/new/b", #", "replace": true"#)
            #expect(try await node.work() == .done(note: "moved 3 bytes to acme:/new/b"))
            #expect(cluster.read("acme/new/b") == "two" && cluster.read("acme/c") == nil)
            try await cluster.enqueue(WorkKind.move, "acme/new/b", "bob/b")
            let job = try await node.claim()
            #expect(await node.run(job) == .done(note: "moved 3 bytes to bob:/b"))
            #expect(cluster.read("bob/b") == "two" && cluster.read("acme/new/b") == nil)
            try await node.flush()
            // A second run with another file at the source by now.
            try cluster.write("acme/new/b", "three")
            #expect(
                await node.run(job) == .done(note: "acme:/new/b was moved by an earlier attempt"))
            #expect(cluster.read("acme/new/b") == "three" && cluster.read("bob/b") == "two")
            #expect(
                try await cluster.carried() == [
                    "delete acme/c", "delete acme/new/b", "move acme/a", "upload acme/new/b", "upload bob/b",
                ])
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `what cannot be done ends at once, with the reason`() async throws {
        try await self.with { cluster, node in
            _ = try await cluster.account("carol", enabled: false)
            try cluster.write("acme/a", "one")
            try cluster.write("acme/folder/x", "x")
            try cluster.write("bob/taken", "mine")
            let zeros = String(repeating: "0", count: 64)
            let cases: [(String, String, String, String)] = [
                ("acme/gone", "bob/x", "", "nothing stands at acme:/gone"),
                ("acme/folder", "bob/x", "", "acme:/folder is a folder: only files"),
                ("acme/a", "bob/taken", "", "something stands at /taken"),
                ("acme/a", "acme/folder", #", "replace": true"#, "/folder is a folder"),
                ("acme/a", "bob/no/x", "", "the folder /no is missing"),
                ("acme/a", "dave/x", "", "the payload's field “to.account”: there is no account “dave”"),
                (
                    "acme/a", "carol/x", "",
                    "the payload's field “to.account”: the account “carol” is disabled"
                ),
                (
                    "carol/a", "bob/x", "",
                    "the payload's field “from.account”: the account “carol” is disabled"
                ),
                ("acme/a", "bob/x", #", "sha256": "\#(zeros)""#, "acme:/a has the digest 7692"),
                ("acme/a", "acme/x", #", "sha256": "\#(zeros)""#, "acme:/a has the digest 7692"),
                ("acme/a", "bob/x", #", "etag": "\"1\"""#, "acme:/a has the tag"),
                ("acme/a", "bob/x", #", "colour": 1"#, "the payload's field “colour” is not known"),
            ]
            for (from, to, more, expected) in cases {
                for kind in [WorkKind.copy, WorkKind.move] {
                    try await cluster.enqueue(kind, from, to, more)
                    guard case .failed(let reason) = try await node.work() else {
                        Issue.record("\(kind) \(from) to \(to) was no failure")
                        continue
                    }
                    #expect(reason.contains(expected), "\(reason)")
                }
            }
            #expect(cluster.read("bob/taken") == "mine" && cluster.read("acme/a") == "one")
            #expect(try await cluster.carried().isEmpty)
            #expect(try await cluster.staged().isEmpty)
        }
    }

    @Test func `a source that changes while it is read is not published, and is tried again`() async throws {
        try await self.with { cluster, node in
            try cluster.write("acme/a", String(repeating: "a", count: 5_000))
            try await cluster.enqueue(WorkKind.copy, "acme/a", "bob/a")
            node.gate.meet(.beforeAppend) {
                try? cluster.write("acme/a", String(repeating: "b", count: 5_000))
            }
            guard case .retry(_, let reason) = try await node.work() else {
                Issue.record("a torn copy was not tried again")
                return
            }
            #expect(reason == "acme:/a changed while it was read")
            #expect(cluster.read("bob/a") == nil)
            #expect(try await cluster.staged().isEmpty)
            #expect(try await node.work() == .done(note: "copied 5000 bytes to bob:/a"))
            #expect(cluster.read("bob/a") == String(repeating: "b", count: 5_000))
        }
    }

    @Test func `a file that replaced the source after it was copied stays`() async throws {
        try await self.with { cluster, node in
            try cluster.write("acme/a", "old")
            try await cluster.enqueue(WorkKind.move, "acme/a", "bob/a")
            node.gate.meet(.afterPublish) { try? cluster.write("acme/a", "newer") }
            #expect(
                try await node.work()
                    == .done(
                        note: "copied to bob:/a; another file came to acme:/a meanwhile and stays"))
            #expect(cluster.read("acme/a") == "newer" && cluster.read("bob/a") == "old")
        }
    }

    @Test func `a draining node gives a copy back and leaves nothing staged`() async throws {
        try await self.with { cluster, node in
            try cluster.write("acme/a", "text")
            try await cluster.enqueue(WorkKind.copy, "acme/a", "bob/a")
            let job = try await node.claim()
            #expect(await node.run(job, drains: true) == .givenBack(reason: "the node drains"))
            try await node.end(job, .givenBack(reason: "the node drains"))
            #expect(try await cluster.staged().isEmpty)
            #expect(try await node.work() == .done(note: "copied 4 bytes to bob:/a"))
        }
    }
}
