import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Synchronization
import Testing

@Suite struct EventTests {
    @Test func `without webhooks nothing is written`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.publish("in/a", alice, by: node)
            let disabled = try await db.webhook("off")
            var change = WebhookChange()
            change.enabled = false
            _ = try await db.store.change(disabled.name, change, ifRevision: nil)
            try await db.publish("in/b", alice, by: node)
            #expect(try await db.number("select count(*) from flotilla.event") == 0)
            #expect(try await db.number("select count(*) from flotilla.job") == 0)
            let used = "select (select is_called from flotilla.event_number)::int4::int8"
            #expect(try await db.number(PostgresStatement(unescaped: used)) == 0)
        }
    }

    @Test func `a published file makes an event, a job and a ready row, and rings`() async throws {
        try await withTestDatabase { db in
            let bell = CountingBell()
            let store = PostgresStore(pool: db.pool, times: db.store.times, doorbell: bell)
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let webhook = try await db.webhook("all")
            let publication = try node.publication("in/ä", alice)
            #expect(try await store.decide([publication], by: node.right) == [.decided])
            let item = FinishedOperation(
                operation: publication.operation, names: [publication.path],
                record: record(publication, by: node))
            #expect(try await store.finish([item]) == [publication.operation.id])
            #expect(bell.heard == 1)
            #expect(try await store.finish([item]) == [])
            #expect(bell.heard == 1)

            let events = try await store.events(EventQuery())
            let event = try #require(events.first)
            #expect(events.count == 1 && event.kind == .filePublished && event.path == publication.path)
            #expect(event.operation == publication.operation.id && event.size == 12)
            #expect(
                event.digest == publication.digest && event.account == alice.name && event.jobs.count == 1)
            let payload = try #require(try await db.payloads().first)
            let told = try #require(payload["event"] as? [String: Any])
            #expect(payload["webhook"] as? String == webhook.id.uuidString.lowercased())
            #expect(told["path"] as? String == "/in/ä" && told["path_base64"] == nil)
            #expect(told["id"] as? Int64 == event.id.rawValue && told["kind"] as? String == "file.published")
            #expect(told["sha256"] as? String == publication.digest?.description)
            let ready = try await db.number(
                """
                select count(*) from flotilla.ready r join flotilla.job j on j.id = r.job and j.lane = r.lane
                where j.lane = flotilla.job_lane('webhook', \(alice.id.rawValue), '{}') and j.bytes = 12
                """)
            #expect(ready == 1)
        }
    }

    @Test func `every change of names is an event of its kind`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("all")
            let file = node.staged("f").identity
            var folder = node.staged("d")
            folder.identity.isFolder = true
            let changes: [(NameChange, EventKind)] = [
                (
                    .publish(path: try path("a"), staged: node.staged("a"), digest: nil, replaces: true),
                    .filePublished
                ),
                (.publish(path: try path("d"), staged: folder, digest: nil, replaces: false), .folderCreated),
                (.move(from: try path("a"), to: try path("b"), file), .fileMoved),
                (.move(from: try path("d"), to: try path("e"), folder.identity), .folderMoved),
                (.remove(try path("b"), file), .fileRemoved),
                (.remove(try path("e"), folder.identity), .folderRemoved),
            ]
            for (change, _) in changes {
                let finished = try await db.carried(change, alice, by: node)
                #expect(try await db.store.finish([finished]).count == 1)
            }
            var query = EventQuery()
            query.newestFirst = false
            let events = try await db.store.events(query)
            #expect(events.map(\.kind) == changes.map(\.1))
            #expect(events.map(\.target) == [nil, nil, try path("b"), try path("e"), nil, nil])
            #expect(try await db.number("select count(*) from flotilla.ready") == 6)
        }
    }

    @Test func `what failed is no event`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("all")
            let finished = try await db.carried(
                .remove(path("a"), node.staged("a").identity), alice, by: node, status: .failed)
            #expect(try await db.store.finish([finished]).count == 1)
            #expect(try await db.number("select count(*) from flotilla.event") == 0)
        }
    }

    @Test func `webhooks hear only of their accounts, kinds and folders`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let bob = try await db.account("bob")
            try await db.webhook("removed", [.fileRemoved])
            try await db.webhook("of-bob", account: "bob")
            try await db.webhook("below-in", below: "in")
            func jobs(_ change: NameChange, _ account: Account) async throws -> [String] {
                let before = try await db.number("select coalesce(max(id), 0) from flotilla.job")
                let finished = try await db.carried(change, account, by: node)
                _ = try await db.store.finish([finished])
                return try await db.sql(
                    "select submitter from flotilla.job where id > \(before) order by submitter"
                ).map { try $0[0, as: String.self] }
            }
            func file(_ text: String) throws -> NameChange {
                .publish(path: try path(text), staged: node.staged("x"), digest: nil, replaces: true)
            }
            #expect(try await jobs(file("out/a"), alice) == [])
            #expect(try await jobs(file("inner/a"), alice) == [])
            #expect(try await jobs(file("in/a/b"), alice) == ["webhook/below-in"])
            #expect(try await jobs(file("out/a"), bob) == ["webhook/of-bob"])
            let identity = node.staged("x").identity
            let away = NameChange.move(from: try path("in/a/b"), to: try path("out/b"), identity)
            #expect(try await jobs(away, alice) == ["webhook/below-in"])
            let back = NameChange.move(from: try path("out/b"), to: try path("in/c"), identity)
            #expect(try await jobs(back, alice) == ["webhook/below-in"])
            #expect(
                try await jobs(.remove(path("in/c"), identity), alice) == [
                    "webhook/below-in", "webhook/removed",
                ])
        }
    }

    @Test func `a path that is no UTF-8 is told whole`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("all")
            let odd = try HomePath(bytes: [0x69, 0x6E, 0x2F, 0xFF] + [UInt8](repeating: 0x61, count: 200))
            let finished = try await db.carried(
                .remove(odd, node.staged("a").identity), alice, by: node)
            _ = try await db.store.finish([finished])
            let told = try #require(try await db.payloads().first?["event"] as? [String: Any])
            #expect((told["path"] as? String)?.hasPrefix("/in/\u{FFFD}aaa") == true)
            #expect(told["path_base64"] as? String == Data(odd.bytes).base64EncodedString())
            #expect(try await db.store.events(EventQuery()).map(\.path) == [odd])
        }
    }

    @Test func `of many finishers of the same changes exactly one makes each event`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("one")
            try await db.webhook("two", ordered: true)
            var finished: [FinishedOperation] = []
            for number in 0..<20 {
                let from = try path("f\(number)")
                let change: NameChange =
                    number % 2 == 0
                    ? .move(from: from, to: try path("g\(number)"), node.staged("x").identity)
                    : .remove(from, node.staged("x").identity)
                finished.append(try await db.carried(change, alice, by: node))
            }
            let orders = [finished, finished.reversed(), finished.shuffled(), finished.shuffled()]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for order in orders {
                    group.addTask { try await db.withOtherNode { _ = try await $0.finish(order) } }
                    for item in order.shuffled() {
                        group.addTask { _ = try await db.store.finish([item]) }
                    }
                }
                try await group.waitForAll()
            }
            let events = try await db.store.events(EventQuery())
            #expect(Set(events.map(\.operation)) == Set(finished.map(\.operation.id)))
            #expect(events.count == 20 && events.allSatisfy { $0.jobs.count == 2 })
            #expect(try await db.number("select count(*) from flotilla.job") == 40)
            #expect(try await db.number("select count(*) from flotilla.ready") == 40)
            let listed = try await db.number(
                "select count(*) from flotilla.job j where exists (select from flotilla.event e where j.id = any (e.jobs))"
            )
            #expect(listed == 40)
        }
    }

    @Test func `a finisher that is rolled back leaves no event, and the next one makes it`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("all")
            let finished = try await db.carried(
                .remove(path("a"), node.staged("a").identity), alice, by: node)
            try await db.sql(
                "alter table flotilla.ready add constraint never check (job < 0)")
            await #expect(throws: StoreError.self) { try await db.store.finish([finished]) }
            #expect(try await db.number("select count(*) from flotilla.name") == 1)
            #expect(try await db.number("select count(*) from flotilla.event") == 0)
            try await db.sql("alter table flotilla.ready drop constraint never")
            #expect(try await db.store.finish([finished]).count == 1)
            #expect(try await db.number("select count(*) from flotilla.event") == 1)
        }
    }

    @Test func `an ordered webhook's jobs about one path stand in line`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            try await db.webhook("in-order", ordered: true)
            for _ in 0..<3 { try await db.publish("in/a", alice, by: node) }
            try await db.publish("in/b", alice, by: node)
            #expect(try await db.number("select count(*) from flotilla.ready") == 2)
            let line = try await db.sql(
                "select w.ticket, k.head, k.tail, k.passed from flotilla.waiting w join flotilla.job_key k using (order_key) order by w.job"
            ).map { try $0.decode(Int64.self, Int64.self, Int64.self, Int64.self) }
            #expect(line.map(\.0) == [1, 2] && line.allSatisfy { $0.1 == 0 && $0.2 == 3 && $0.3 == 0 })
            // The line is empty: the next one goes straight through.
            try await db.sql("delete from flotilla.waiting")
            try await db.sql("update flotilla.job_key set head = tail, passed = tail - 1")
            try await db.publish("in/a", alice, by: node)
            #expect(try await db.number("select count(*) from flotilla.ready") == 3)
            #expect(
                try await db.number(
                    "select count(*) from flotilla.job_key where passed = head and tail = head + 1") == 1)
        }
    }

    @Test func `an event shows where each of its jobs stands`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            for name in ["claimed", "later", "ready", "done"] { try await db.webhook(name) }
            try await db.webhook("ordered", ordered: true)
            try await db.publish("f", alice, by: node)
            let operation = try await db.publish("f", alice, by: node).operation.id
            var query = EventQuery()
            query.operation = operation
            let event = try #require(try await db.store.events(query).first)
            func jobs(_ name: String) async throws -> [JobID] {
                try await db.store.event(event.id)?.deliveries.filter { $0.webhook?.description == name }.map(
                    \.job) ?? []
            }
            let (claimed, later, done) = (
                try await jobs("claimed"), try await jobs("later"), try await jobs("done")
            )
            for job in try await db.claim(by: node) {
                if claimed.contains(job.title.job) { continue }
                let end: JobEnd =
                    if later.contains(job.title.job) {
                        .retry(after: .seconds(60), reason: "busy")
                    } else if done.contains(job.title.job) { .done(note: "200") } else {
                        .givenBack(reason: "not yet")
                    }
                try await db.finish(job, end, by: node)
            }
            let shown = try #require(try await db.store.event(event.id)).deliveries
            let states = Dictionary(
                uniqueKeysWithValues: shown.map { ($0.webhook?.description ?? "", $0.state) })
            #expect(
                states == [
                    "claimed": .claimed, "later": .later, "ready": .ready, "done": .done, "ordered": .waiting,
                ])
            let waits = try #require(shown.first { $0.state == .later })
            #expect(waits.dueAt != nil && waits.attempts == 1 && waits.outcome == nil)
        }
    }

    @Test func `events are listed by account, kind and time and shown with their jobs`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let bob = try await db.account("bob")
            try await db.webhook("all")
            for number in 0..<5 { try await db.publish("f\(number)", alice, by: node) }
            let last = try await db.publish("g", bob, by: node)
            var query = EventQuery()
            query.account = alice.name
            query.limit = 2
            var paths: [String] = []
            while true {
                let page = try await db.store.events(query)
                guard let end = page.last else { break }
                paths += page.map(\.path.description)
                query.after = end.id
            }
            #expect(paths == ["/f4", "/f3", "/f2", "/f1", "/f0"])
            query = EventQuery()
            query.operation = last.operation.id
            let event = try #require(try await db.store.events(query).first)
            query = EventQuery()
            query.kind = .fileMoved
            #expect(try await db.store.events(query).isEmpty)
            query.kind = nil
            query.from = event.at.addingTimeInterval(1)
            #expect(try await db.store.events(query).isEmpty)
            try await db.sql("delete from flotilla.ready where job = \(event.jobs[0].rawValue)")
            try await db.sql(
                "insert into flotilla.outcome (job, status, attempt, note) values (\(event.jobs[0].rawValue), 'd', 1, '200')"
            )
            let shown = try #require(try await db.store.event(event.id))
            #expect(shown.record == event)
            #expect(shown.deliveries.map(\.state) == [.done])
            #expect(shown.deliveries.map(\.outcome) == [.done] && shown.deliveries.map(\.note) == ["200"])
            #expect(shown.deliveries.map { $0.webhook?.description } == ["all"])
            #expect(try await db.store.event(#require(EventID(rawValue: 999))) == nil)
        }
    }
}

private final class CountingBell: Doorbell {
    private let count = Mutex(0)
    var heard: Int { self.count.withLock { $0 } }
    func ring() { self.count.withLock { $0 += 1 } }
    func rings() -> AsyncStream<Void> { AsyncStream { $0.finish() } }
}
