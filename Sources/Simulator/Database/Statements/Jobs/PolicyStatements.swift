import ClusterModel
import ClusterPorts

/// `set(_:ifRevision:)`, without the revision: a limit that comes into being draws a number at once.
final class SetPolicyStatement: Statement {
    let policy: JobPolicy
    private(set) var isUnsettled = false
    private var before: PolicyRow?
    private var drawn: Int64?

    init(_ policy: JobPolicy) { self.policy = policy }

    override var title: String { "set a policy" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            guard self.lock(.policy(self.policy.scope), .update, in: database) else { return .wait }
            self.before = database.tables.jobs.policies[self.policy.scope]
            self.stage = 1
            return .more
        case 1:
            guard self.policy.slots != nil, self.before?.slots == nil else {
                self.stage = 3
                return .more
            }
            guard self.lock(.limitNumber, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 2
            return .more
        case 2:
            database.tables.jobs.limitSequence += 1
            self.drawn = database.tables.jobs.limitSequence
            self.stage = 3
            return .more
        default:
            self.write(database)
            return .committed
        }
    }

    private func write(_ database: Database) {
        if let drawn = self.drawn { database.tables.jobs.limitNumber = drawn }
        let old = self.before
        let row = PolicyRow(
            slots: self.policy.slots,
            isSettled: (old?.isSettled ?? false) && old?.slots != nil && self.policy.slots != nil,
            perNode: self.policy.perNode, weight: self.policy.weight, requires: self.policy.requires,
            revision: (old?.revision ?? 0) + 1)
        database.tables.jobs.policies[self.policy.scope] = row
        database.synced()
        database.judge?.limited(self.policy.scope, row)
        self.isUnsettled = row.slots != nil && !row.isSettled
    }
}

final class RemovePolicyStatement: Statement {
    let scope: JobScope
    private(set) var removed = false

    init(_ scope: JobScope) { self.scope = scope }

    override var title: String { "remove a policy" }

    override func advance(_ database: Database) -> Advance {
        guard database.tables.jobs.policies[self.scope] != nil else { return .committed }
        if self.stage == 0 {
            guard self.lock(.policy(self.scope), .update, in: database) else { return .wait }
            self.stage = 1
            return .more
        }
        database.tables.jobs.policies[self.scope] = nil
        database.synced()
        database.judge?.limited(self.scope, nil)
        self.removed = true
        return .committed
    }
}

/// The first statement of `settleLimits`: waits for every claim that began without knowing of the limit.
final class PassClaimGateStatement: Statement {
    override var title: String { "wait for claims in flight" }

    override func advance(_ database: Database) -> Advance {
        if database.twin == .gateUnheeded { return .committed }
        guard self.stage > 0 || self.lock(.claimGate, .update, in: database) else { return .wait }
        return .committed
    }
}

/// The second: gives the lowest slots without a row to what runs, above the limit if need be.
final class SettleLimitsStatement: Statement {
    private var snapshot: JobTables?
    private var fresh: [JobScope] = []
    private var running: [(scope: JobScope, key: ClaimKey, epoch: Int64)] = []
    private var next = 0

    override var title: String { "settle limits" }

    override func advance(_ database: Database) -> Advance {
        guard let snapshot = self.snapshot else {
            self.snapshot = database.tables.jobs
            self.fresh = database.tables.jobs.unsettled()
            return self.fresh.isEmpty ? .committed : .more
        }
        switch self.stage {
        case 0:
            guard self.next < self.fresh.count else {
                let unsettled = Set(database.tables.jobs.unsettled())
                self.fresh.removeAll { !unsettled.contains($0) }
                self.find(snapshot)
                return self.go()
            }
            guard self.lock(.policy(self.fresh[self.next]), .update, in: database) else { return .wait }
            self.next += 1
            return .more
        case 1:
            guard self.next < self.running.count else { return self.go() }
            guard self.lock(.claim(self.running[self.next].key.job), .noKeyUpdate, in: database) else {
                return .wait
            }
            self.next += 1
            return .more
        default:
            self.snapshot = nil
            self.write(snapshot, database)
            return .committed
        }
    }

    private func go() -> Advance {
        self.stage += 1
        self.next = 0
        return .more
    }

    /// Claims of these scopes without a slot of their own, in the order of their numbers.
    private func find(_ snapshot: JobTables) {
        for scope in self.fresh {
            let own = snapshot.claims.filter { key, claim in
                guard let content = snapshot.jobs[key.job]?.content, content.scopes.contains(scope) else {
                    return false
                }
                return !snapshot.slots.contains {
                    $0.key.scope == scope
                        && $0.value
                            == SlotRow(incarnation: key.incarnation, job: key.job, epoch: claim.epoch)
                }
            }
            for (key, claim) in own.sorted(by: { ($0.value.epoch, $0.key.job) < ($1.value.epoch, $1.key.job) }
            ) {
                self.running.append((scope, key, claim.epoch))
            }
        }
        self.running.sort { $0.key.job < $1.key.job }
    }

    private func write(_ snapshot: JobTables, _ database: Database) {
        for scope in self.fresh {
            // The lowest that are free, as the snapshot has it.
            let taken = Set(snapshot.slots.keys.filter { $0.scope == scope }.map(\.slot))
            var slot = 0
            for (_, key, epoch) in self.running.filter({ $0.scope == scope }).sorted(by: {
                ($0.epoch, $0.key.job) < ($1.epoch, $1.key.job)
            }) {
                repeat { slot += 1 } while taken.contains(slot)
                let place = SlotKey(scope: scope, slot: slot)
                if database.tables.jobs.slots[place] == nil {
                    database.tables.jobs.slots[place] = SlotRow(
                        incarnation: key.incarnation, job: key.job, epoch: epoch)
                }
                if database.tables.jobs.claims[key]?.epoch == epoch {
                    database.tables.jobs.claims[key]?.isLimited = true
                }
            }
            database.tables.jobs.policies[scope]?.isSettled = true
            database.judge?.settled(scope)
        }
        database.synced()
    }
}

/// `raiseLimitNumber`: a number that nobody has noted.
final class RaiseLimitNumberStatement: Statement {
    override var title: String { "raise the number of limits" }

    override func advance(_ database: Database) -> Advance {
        if self.stage == 0 {
            guard database.tables.jobs.limitNumber != database.tables.jobs.limitSequence else {
                return .committed
            }
            guard self.lock(.limitNumber, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 1
            return .more
        }
        guard database.tables.jobs.limitNumber != database.tables.jobs.limitSequence else {
            return .committed
        }
        database.tables.jobs.limitSequence += 1
        database.tables.jobs.limitNumber = database.tables.jobs.limitSequence
        database.synced()
        return .committed
    }
}
