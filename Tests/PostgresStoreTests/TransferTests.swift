import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

@Suite struct TransferTests {
    @Test func `a record that has ended is not replaced`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let publication = try node.publication("a", alice)
            let running = record(publication, .running, by: node)
            let ended = record(publication, .completed, by: node)
            try await db.store.record([running], by: node.right)
            #expect(try await db.store.transfer(id: running.id) == running)
            try await db.store.record([ended], by: node.right)
            try await db.store.record([record(publication, .failed, by: node)], by: node.right)
            #expect(try await db.store.transfer(id: running.id) == ended)
        }
    }

    /// Records of all sorts, or of one, that ended so many seconds after they began.
    private static func records(
        _ count: Int, lasting seconds: Double, ofOneSort: Bool, by node: JoinedNode, _ account: Account
    ) throws -> [TransferRecord] {
        try (0..<count).map { number in
            var item = record(try node.publication("p\(number)", account), .completed, by: node)
            item.size = Int64(number)
            item.endedAt = item.origin.startedAt + seconds
            guard !ofOneSort else { return item }
            item.kind = TransferRecord.Kind.allCases[number % TransferRecord.Kind.allCases.count]
            item.target = item.kind == .move ? try path("moved/\(number)") : nil
            item.digest = item.kind == .upload ? item.digest : nil
            item.origin.`protocol` = number.isMultiple(of: 3) ? "job" : "http"
            item.incarnation = try #require(Incarnation(rawValue: Int64(number % 4 + 1)))
            if number.isMultiple(of: 7) { (item.status, item.reason) = (.failed, "it broke") }
            return item
        }
    }

    @Test(arguments: [0.01, 90], [true, false])
    func `records of one sort and of all sorts come back as they were, also when they are written twice`(
        seconds: Double, ofOneSort: Bool
    ) async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let records = try Self.records(40, lasting: seconds, ofOneSort: ofOneSort, by: node, alice)
            // One of them was listed, whatever its times say.
            var listed = records[3]
            (listed.status, listed.endedAt, listed.reason) = (.running, nil, nil)
            try await db.store.record([listed], by: node.right)
            #expect(try await db.store.transfer(id: listed.id) == listed)
            for _ in 0..<2 {
                try await db.store.record(records, by: node.right)
                var query = TransferQuery()
                (query.sort, query.descending) = (.size, false)
                #expect(try await db.store.transfers(query) == records)
            }
        }
    }

    /// What the listing asks, planned for a table with so many rows.
    private static func plan(_ query: TransferQuery, _ db: TestDatabase) async throws -> String {
        let rows = try await db.sql("explain \(TransferListing.statement(query))")
        return try rows.map { try $0[0, as: String.self] }.joined(separator: "\n")
    }

    @Test func `every filter and every sort finds its records by an index`() async throws {
        try await withTestDatabase { (db: TestDatabase) async throws in
            try await db.sql(
                """
                insert into flotilla.transfer (id, kind, status, account, path, target, size, digest, node, protocol,
                    client, incarnation, started_at, ended_at)
                select gen_random_uuid(), (array['upload', 'download', 'move', 'delete', 'folder'])[n % 5 + 1],
                    case when n % 1000 = 0 then 'running' when n % 50 = 1 then 'failed' else 'completed' end,
                    'account-' || n % 100, convert_to('in/' || n / 5 || '.csv', 'UTF8'),
                    case when n % 5 = 2 then convert_to('out/' || n || '.csv', 'UTF8') end, n % 4321,
                    case when n % 5 = 0 then sha256(int4send(n)) end, 'worker-' || n % 20,
                    case when n % 3 = 0 then 'job' else 'http' end, '10.0.0.1', n % 20 + 1,
                    timestamptz '2026-01-01' + n * interval '1 second',
                    case when n % 1000 <> 0 then timestamptz '2026-01-01' + n * interval '1 second' end
                from generate_series(1, 50000) n
                """)
            try await db.sql("analyze flotilla.transfer")
            let time = Date(timeIntervalSince1970: 1_767_225_600 + 40_000)
            let file = try path("in/77.csv")
            let digest = try #require(Digest(hex: String(repeating: "7", count: 64)))
            let filters: [(String, (inout TransferQuery) -> Void)] = [
                ("nothing", { _ in }), ("account", { $0.account = AccountName("account-7") }),
                ("kind", { $0.kind = .delete }), ("running", { $0.status = .running }),
                ("failed", { $0.status = .failed }), ("completed", { $0.status = .completed }),
                ("node", { $0.node = NodeName("worker-7") }), ("protocol", { $0.`protocol` = "job" }),
                ("digest", { $0.digest = digest }), ("path", { $0.path = file }),
                // Which folders a path lies in is in no index: an account has few records.
                ("below", { ($0.below, $0.account) = (file.parent, AccountName("account-7")) }),
                ("targets", { ($0.targets, $0.kind) = ([file], .move) }),
                ("started from", { $0.startedFrom = time }), ("started before", { $0.startedBefore = time }),
                ("ended from", { $0.endedFrom = time }), ("ended before", { $0.endedBefore = time }),
                ("size from", { $0.sizeFrom = 4_000 }), ("size to", { $0.sizeTo = 10 }),
            ]
            for (name, filter) in filters {
                for sort in TransferQuery.Sort.allCases {
                    let middle: Int64 = sort == .size ? 2_000 : 1_767_265_600_000_000
                    for place in [nil, TransferQuery.Position(value: middle, id: UUID())] {
                        var query = TransferQuery()
                        filter(&query)
                        (query.sort, query.after) = (sort, place)
                        let plan = try await Self.plan(query, db)
                        #expect(!plan.contains("Seq Scan"), "\(name) by \(sort): \(plan)")
                    }
                }
            }
        }
    }

    @Test func `running transfers of the departed end as failed`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let publication = try node.publication("a", alice)
            try await db.store.record([record(publication, .running, by: node)], by: node.right)
            #expect(try await db.store.endRunning(of: node.right.incarnation, reason: "gone") == 0)
            #expect(try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation))
            #expect(try await db.store.endRunning(of: node.right.incarnation, reason: "gone") == 1)
            let found = try await db.store.transfer(id: publication.operation.id)
            #expect(found?.status == .failed)
            #expect(found?.reason == "gone")
            #expect(found?.endedAt != nil)
        }
    }

    @Test(arguments: TransferQuery.Sort.allCases, [true, false])
    func `pages are complete and without doubles while records are added`(
        sort: TransferQuery.Sort, descending: Bool
    ) async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            func add(_ count: Int) async throws -> [UUID] {
                let records = try (0..<count).map { number in
                    var item = record(
                        try node.publication("p\(number)", alice),
                        number.isMultiple(of: 3) ? .running : .completed,
                        by: node)
                    item.size = Int64(number % 5)
                    item.origin.startedAt += Double(number % 4)
                    if let end = item.endedAt { item.endedAt = end + Double(number % 6) }
                    return item
                }
                try await db.store.record(records, by: node.right)
                return records.map(\.id)
            }
            let wanted = try await add(50)
            var query = TransferQuery()
            query.sort = sort
            query.descending = descending
            query.limit = 7
            var seen: [UUID] = []
            while true {
                let page = try await db.store.transfers(query)
                guard let last = page.last else { break }
                seen += page.map(\.id)
                let value: Int64? =
                    switch sort {
                    case .size: last.size
                    case .started: Int64((last.origin.startedAt.timeIntervalSince1970 * 1e6).rounded())
                    case .ended: last.endedAt.map { Int64(($0.timeIntervalSince1970 * 1e6).rounded()) }
                    }
                query.after = TransferQuery.Position(value: value, id: last.id)
                if seen.count < 50 { _ = try await add(3) }
            }
            #expect(Set(seen).count == seen.count)
            #expect(Set(wanted).isSubset(of: seen))
        }
    }

    @Test func `every filter narrows the list`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let alice = try await db.account("alice")
            let item = record(try node.publication("in/a.csv", alice), by: node)
            try await db.store.record([item], by: node.right)
            let time = item.origin.startedAt
            let filters: [(inout TransferQuery, Bool) -> Void] = [
                { $0.account = AccountName($1 ? "alice" : "bob") }, { $0.kind = $1 ? .upload : .download },
                { $0.status = $1 ? .completed : .running },
                { $0.node = $1 ? item.origin.node : NodeName("other") },
                { $0.`protocol` = $1 ? "http" : "sftp" },
                { $0.digest = $1 ? item.digest : Digest(hex: String(repeating: "0", count: 64)) },
                { $0.path = $1 ? item.path : .home }, { $0.below = $1 ? item.path.parent : item.path },
                { $0.startedFrom = $1 ? time : time + 1 }, { $0.startedBefore = $1 ? time + 1 : time },
                { $0.endedFrom = $1 ? time : time + 9 }, { $0.endedBefore = $1 ? time + 9 : time },
                { $0.sizeFrom = $1 ? 12 : 13 }, { $0.sizeTo = $1 ? 12 : 11 },
            ]
            var all = TransferQuery()
            for filter in filters {
                filter(&all, true)
                var none = all
                filter(&none, false)
                #expect(try await db.store.transfers(all) == [item])
                #expect(try await db.store.transfers(none) == [])
            }
        }
    }
}
