import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
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
