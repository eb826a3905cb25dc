import ClusterModel
import Simulator
import Testing

@Suite struct RowLockTests {
    @Test func `locks conflict as in PostgreSQL's table`() {
        let table: [LockMode: Set<LockMode>] = [
            .keyShare: [.update],
            .share: [.noKeyUpdate, .update],
            .noKeyUpdate: [.share, .noKeyUpdate, .update],
            .update: [.keyShare, .share, .noKeyUpdate, .update],
        ]
        for mode in LockMode.allCases {
            for other in LockMode.allCases {
                #expect(mode.conflicts(with: other) == table[mode]?.contains(other), "\(mode) and \(other)")
                #expect(mode.conflicts(with: other) == other.conflicts(with: mode))
            }
        }
    }

    @Test func `commits share a member's row, and a death waits for them all`() {
        var locks = RowLocks()
        let row = RowKey.member(3)
        let first = locks.take(row, .keyShare, for: 1)
        let second = locks.take(row, .keyShare, for: 2)
        let heartbeat = locks.take(row, .noKeyUpdate, for: 3)
        #expect(first && second && heartbeat)
        let early = locks.take(row, .update, for: 4)
        #expect(!early)
        for statement in 1...3 { locks.release([row], of: statement) }
        #expect(locks.isEmpty)
        let late = locks.take(row, .update, for: 4)
        #expect(late)
        let commit = locks.take(row, .keyShare, for: 5)
        #expect(!commit)
    }

    @Test func `a statement never waits for itself`() {
        var locks = RowLocks()
        let shared = locks.take(.cluster, .share, for: 1)
        let exclusive = locks.take(.cluster, .update, for: 1)
        #expect(shared && exclusive)
    }
}
