import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct JoinTests {
    @Test func `of thirty joiners at once exactly twenty get a slot`() async throws {
        try await withTestDatabase { db in
            let answers = try await withThrowingTaskGroup(of: JoinAnswer.self) { group in
                for _ in 0..<30 {
                    group.addTask {
                        let incarnation = try await db.store.nextIncarnation(above: nil)
                        return try await db.store.join(.test(incarnation, named: nil))
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let slots = answers.compactMap {
                if case .joined(let slot, _) = $0 { slot.rawValue } else { nil }
            }
            let full = answers.count {
                if case .full(limit: 20, let members) = $0 { members.count == 20 } else { false }
            }
            #expect(slots.sorted() == Array(1...20))
            #expect(full == 10)
            let view = try await db.store.view()
            #expect(view.version == 20)
            #expect(view.members.map(\.name.description) == (1...20).map { "worker-\($0)" })
        }
    }

    @Test func `a live name cannot be taken and a dead one gets its slot again`() async throws {
        try await withTestDatabase { db in
            _ = try await JoinedNode.join(db, named: "first")
            let node = try await JoinedNode.join(db, named: "alice")
            let again = try await db.store.nextIncarnation(above: nil)
            let taken = try await db.store.join(.test(again, named: node.right.name))
            guard case .nameTaken(let holder) = taken else { throw JoinedNode.JoinRefused(answer: taken) }
            #expect(holder.incarnation == node.right.incarnation)
            #expect(try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation))
            #expect(
                try await db.store.join(.test(again, named: node.right.name))
                    == .joined(slot: node.right.slot, name: node.right.name))
        }
    }

    @Test func `a live name stays taken when the database's clock is stepped`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db, named: "alice")
            for milliseconds in [60_000, -60_000] {
                try await db.silence(node, milliseconds: milliseconds)
                let again = try await db.store.nextIncarnation(above: nil)
                let answer = try await db.store.join(.test(again, named: node.right.name))
                guard case .nameTaken = answer else { throw JoinedNode.JoinRefused(answer: answer) }
            }
        }
    }

    @Test func `of two joiners with one name one wins`() async throws {
        try await withTestDatabase { db in
            let name = NodeName("twin")
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let incarnation = try await db.store.nextIncarnation(above: nil)
                        if case .joined = try await db.store.join(.test(incarnation, named: name)) {
                            return true
                        }
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wins == 1)
        }
    }

    @Test func `a join whose answer was lost can be asked again`() async throws {
        try await withTestDatabase { db in
            let incarnation = try await db.store.nextIncarnation(above: nil)
            let first = try await db.store.join(.test(incarnation, named: nil))
            #expect(try await db.store.join(.test(incarnation, named: nil)) == first)
            #expect(try await db.store.view().members.count == 1)
        }
    }

    @Test func `a departed incarnation never joins again`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            #expect(try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation))
            #expect(
                try await db.store.leave(slot: node.right.slot, incarnation: node.right.incarnation) == false)
            await #expect(throws: StoreError.self) {
                try await db.store.join(.test(node.right.incarnation, named: nil))
            }
            #expect(try await node.beat() == .dead)
            #expect(try await db.store.departures(limit: 10).map(\.incarnation) == [node.right.incarnation])
        }
    }

    @Test func `a program that is too old is refused`() async throws {
        try await withTestDatabase { db in
            try await db.sql("update flotilla.cluster set min_reader_version = 3")
            let incarnation = try await db.store.nextIncarnation(above: nil)
            #expect(
                try await db.store.join(.test(incarnation, named: nil, knownSchema: 2))
                    == .tooOld(minReaderVersion: 3))
        }
    }

    @Test func `a name beyond a lowered limit moves to a free slot`() async throws {
        try await withTestDatabase { db in
            for _ in 0..<2 { _ = try await JoinedNode.join(db) }
            let last = try await JoinedNode.join(db, named: "last")
            _ = try await db.store.leave(slot: last.right.slot, incarnation: last.right.incarnation)
            _ = try await db.store.leave(slot: Slot(1), incarnation: db.store.view().members[0].incarnation)
            try await db.sql("update flotilla.cluster set member_limit = 2")
            #expect(try await JoinedNode.join(db, named: "last").right.slot == Slot(1))
        }
    }

    @Test func `incarnations rise above the floor and are never drawn twice`() async throws {
        try await withTestDatabase { db in
            let drawn = try await withThrowingTaskGroup(of: Incarnation.self) { group in
                for _ in 0..<40 { group.addTask { try await db.store.nextIncarnation(above: nil) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(drawn).count == 40)
            #expect(drawn.allSatisfy { $0.timeline == 1 })
            let floor = try #require(Incarnation(rawValue: (5 << Incarnation.sequenceBits) + 17))
            let above = try await db.store.nextIncarnation(above: floor)
            #expect(above > floor)
            #expect(try await db.store.nextIncarnation(above: nil) > above)
        }
    }

    @Test func `the first mount that is recorded stays`() async throws {
        try await withTestDatabase { db in
            let one = try #require(MountNonce([UInt8](repeating: 1, count: 16)))
            let two = try #require(MountNonce([UInt8](repeating: 2, count: 16)))
            #expect(try await db.store.facts().mountNonce == nil)
            #expect(try await db.store.recordMount(one) == one)
            #expect(try await db.store.recordMount(two) == one)
            let facts = try await db.store.facts()
            #expect(facts.mountNonce == one)
            #expect(facts.cacheKey.count == 32)
            #expect(facts.memberLimit == 20)
            #expect(facts.connectionLimit > 0)
        }
    }
}
