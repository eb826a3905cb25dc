package import ClusterModel
package import ClusterPorts

/// A row, or the value of a unique index that an insert is about to take.
package enum RowKey: Hashable {
    case cluster
    case member(Int16)
    case memberName(NodeName)
    case departed(Int64)
    case lease(LeaseSubject)
    case leaseOrder(LeaseSubject)
    case leaseSlot(String, Int)
    case name(FileKey)
    case home
    /// A job's row in `ready`, `later` or `waiting`, told apart by the number of its table.
    case queued(Int64, Int8)
    case claim(Int64)
    case jobKey(String)
    case claimSlot(JobScope, Int)
    case policy(JobScope)
    case submission(String, String)
    case progress(Int64)
    /// The advisory lock that everybody who claims shares.
    case claimGate
    case limitNumber
    case shard(Int)
}

/// PostgreSQL's four strengths of row locks.
package enum LockMode: Int, CaseIterable {
    case keyShare
    case share
    case noKeyUpdate
    case update

    package func conflicts(with other: LockMode) -> Bool {
        switch self {
        case .keyShare: other == .update
        case .share: other == .noKeyUpdate || other == .update
        case .noKeyUpdate: other != .keyShare
        case .update: true
        }
    }
}

/// Who holds which rows.
///
/// Locks live from a statement's step to the end of the statement, since each statement is a transaction.
package struct RowLocks {
    package init() {}

    private struct Held {
        var statement: Int
        var mode: LockMode
    }
    private var rows: [RowKey: [Held]] = [:]

    package var isEmpty: Bool { self.rows.isEmpty }

    /// False: somebody else has the row in a mode that conflicts; nothing was taken.
    package mutating func take(_ key: RowKey, _ mode: LockMode, for statement: Int) -> Bool {
        guard var holders = self.rows[key] else {
            self.rows[key] = [Held(statement: statement, mode: mode)]
            return true
        }
        for holder in holders where holder.statement != statement && mode.conflicts(with: holder.mode) {
            return false
        }
        holders.append(Held(statement: statement, mode: mode))
        self.rows[key] = holders
        return true
    }

    /// Whether nobody stands in the way.
    func allows(_ key: RowKey, _ mode: LockMode) -> Bool {
        guard !self.rows.isEmpty, let holders = self.rows[key] else { return true }
        return !holders.contains { mode.conflicts(with: $0.mode) }
    }

    package mutating func release(_ keys: [RowKey], of statement: Int) {
        for key in keys {
            guard var holders = self.rows[key] else { continue }
            holders.removeAll { $0.statement == statement }
            self.rows[key] = holders.isEmpty ? nil : holders
        }
    }

    mutating func releaseAll() { self.rows = [:] }

    /// Who holds a row, other than the statement itself.
    func holders(of key: RowKey, besides statement: Int) -> [Int] {
        (self.rows[key] ?? []).map(\.statement).filter { $0 != statement }
    }
}
