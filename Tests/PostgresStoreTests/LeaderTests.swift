import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

@Suite struct LeaderTests {
    @Test func `a living leader keeps the lead and a dead one loses it`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            #expect(try await db.store.view().leader == nil)
            let first = try #require(try await db.store.takeLead(LeadClaim(right: one.right, term: 0)))
            #expect(first == Leadership(slot: one.right.slot, incarnation: one.right.incarnation, term: 1))
            #expect(try await db.store.view().livingLeader == first)
            for term in 0...2 {
                #expect(
                    try await db.store.takeLead(LeadClaim(right: two.right, term: Int64(term))) == nil)
            }
            try await db.bury(one, by: two)
            let version = try await db.store.view().version
            #expect(try await db.store.view().livingLeader == nil)
            #expect(try await db.store.takeLead(LeadClaim(right: one.right, term: 1)) == nil)
            #expect(try await db.store.takeLead(LeadClaim(right: two.right, term: 0)) == nil)
            #expect(try await db.store.takeLead(LeadClaim(right: two.right, term: 1))?.term == 2)
            let view = try await db.store.view()
            #expect(view.version == version + 1)
            #expect(view.leader?.incarnation == two.right.incarnation)
        }
    }

    @Test func `of many that take the lead one gets it`() async throws {
        try await withTestDatabase { db in
            var nodes: [JoinedNode] = []
            for _ in 0..<8 { nodes.append(try await JoinedNode.join(db)) }
            let taken = try await withThrowingTaskGroup(of: Leadership?.self) { group in
                for node in nodes {
                    group.addTask {
                        try await db.withOtherNode {
                            try await $0.takeLead(LeadClaim(right: node.right, term: 0))
                        }
                    }
                }
                return try await group.reduce(into: []) { taken, one in one.map { taken.append($0) } }
            }
            #expect(taken.count == 1)
            #expect(try await db.store.view().leader == taken.first)
        }
    }

    @Test func `a leader's write that waits for the next leader does nothing`() async throws {
        try await withTestDatabase { db in
            let (one, two, three) = (
                try await JoinedNode.join(db), try await JoinedNode.join(db), try await JoinedNode.join(db)
            )
            let lead = try #require(try await db.store.takeLead(LeadClaim(right: one.right, term: 0)))
            _ = try await db.store.leave(slot: three.right.slot, incarnation: three.right.incarnation)
            #expect(try await db.store.claimDeparture(of: three.right.incarnation, by: one.right))
            try await db.store.closeDeparture(of: three.right.incarnation, by: one.right)
            let usurper = try await db.session()
            let pruned = try await usurper.transaction(deadline: .seconds(20)) { transaction in
                _ = try await transaction.query(
                    """
                    update flotilla.cluster set leader_term = 2, leader_slot = \(two.right.slot.rawValue),
                        leader_incarnation = \(two.right.incarnation.rawValue)
                    """)
                async let pruned = db.withOtherNode {
                    try await $0.prune(olderThan: .zero, by: LeaderRight(right: one.right, term: lead.term))
                }
                try await db.waitForLockWaiters(1)
                _ = try await transaction.query(PostgresStatement("commit").unprepared())
                let answer = try await pruned
                _ = try await transaction.query(PostgresStatement("begin").unprepared())
                return answer
            }
            await usurper.close()
            #expect(pruned == 0)
            #expect(try await db.store.view().members.count == 3)
            #expect(
                try await db.store.prune(olderThan: .zero, by: LeaderRight(right: two.right, term: 2)) == 1)
        }
    }

    @Test func `a dead leader writes nothing although its term stands`() async throws {
        try await withTestDatabase { db in
            let (one, two) = (try await JoinedNode.join(db), try await JoinedNode.join(db))
            let lead = try #require(try await db.store.takeLead(LeadClaim(right: one.right, term: 0)))
            try await db.bury(one, by: two)
            #expect(try await db.store.claimDeparture(of: one.right.incarnation, by: two.right))
            try await db.store.closeDeparture(of: one.right.incarnation, by: two.right)
            let leader = LeaderRight(right: one.right, term: lead.term)
            #expect(try await db.store.prune(olderThan: .zero, by: leader) == 0)
            #expect(try await db.store.view().members.count == 2)
        }
    }
}
