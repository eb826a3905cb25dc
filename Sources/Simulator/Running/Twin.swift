/// The same run with one guard taken out.
///
/// A check that does not catch its twin checks nothing.
package enum Twin: String, Sendable, CaseIterable {
    case incarnationFromSnapshot = "incarnation-from-snapshot"
    case deadHeartRevives = "dead-heart-revives"
    case deathWithoutVersion = "death-without-version"
    case chainNeverBreaks = "chain-never-breaks"
    case accuserUnproven = "accuser-unproven"
    case lockUnheeded = "lock-unheeded"
    case movingTarget = "moving-target"
    case leadWithoutCompare = "lead-without-compare"
    case leaderUnchecked = "leader-unchecked"
    case neverAccuses = "never-accuses"
    case grantOverHolder = "grant-over-holder"
    case epochsStartAgain = "epochs-start-again"
    case endKeepsRow = "end-keeps-row"
    case rightUnchecked = "right-unchecked"
    case deathWithoutLock = "death-without-lock"
    case epochUnchecked = "epoch-unchecked"
    case publishUnsealed = "publish-unsealed"
    case decideOverName = "decide-over-name"
    case answerBeforeSync = "answer-before-sync"
    case reclaimUnread = "reclaim-unread"
    case decideUnfenced = "decide-unfenced"
    case timelineKept = "timeline-kept"
    case viewNeverGoesBack = "view-never-goes-back"
    case readerUnchecked = "reader-unchecked"
    case claimKeepsReady = "claim-keeps-ready"
    case finishKeepsClaim = "finish-keeps-claim"
    case submissionUnchecked = "submission-unchecked"
    case keyUnordered = "key-unordered"
    case retryMovesHead = "retry-moves-head"
    case postponedCounts = "postponed-counts"
    case slotsUnguarded = "slots-unguarded"
    case gateUnheeded = "gate-unheeded"
    case headsNobodyStages = "heads-nobody-stages"
    case endsLookForTheNext = "ends-look-for-the-next"
    case claimsNobodySweeps = "claims-nobody-sweeps"
    case debtForEver = "debt-for-ever"
    case claimWithoutBound = "claim-without-bound"
    case shardUnproven = "shard-unproven"
    case shardTakenFromTheLiving = "shard-taken-from-the-living"
    case ringsBelieved = "rings-believed"
    case ringsAwaited = "rings-awaited"

    /// The rules of which one must catch it.
    package var breaks: [Invariant] {
        switch self {
        case .incarnationFromSnapshot: [.m1]
        case .deadHeartRevives: [.m2]
        case .deathWithoutVersion: [.m3]
        case .chainNeverBreaks, .accuserUnproven, .lockUnheeded, .movingTarget: [.m4]
        case .leadWithoutCompare, .leaderUnchecked: [.m5]
        case .neverAccuses: [.m6]
        case .grantOverHolder: [.l1]
        case .epochsStartAgain: [.l2]
        case .endKeepsRow: [.l3]
        case .rightUnchecked: [.l4, .f5, .m5]
        case .deathWithoutLock: [.l4, .f5, .m5]
        case .epochUnchecked: [.l4]
        case .publishUnsealed: [.f1]
        // The one that was replaced is still to be shown, and its staging is reclaimed meanwhile.
        case .decideOverName: [.f2, .f4]
        case .answerBeforeSync: [.f3]
        // What it loses may be what a decision waits for, and then what its node left is never cleared.
        case .reclaimUnread: [.f4, .l7]
        case .decideUnfenced: [.f5]
        case .timelineKept: [.l2, .m1]
        case .viewNeverGoesBack: [.m3]
        case .readerUnchecked: [.v1]
        case .claimKeepsReady: [.l1]
        case .finishKeepsClaim: [.l1, .l3]
        case .submissionUnchecked, .postponedCounts: [.l6]
        case .keyUnordered, .retryMovesHead, .slotsUnguarded, .gateUnheeded: [.l5]
        case .headsNobodyStages, .endsLookForTheNext, .claimsNobodySweeps: [.l7]
        case .debtForEver: [.d1]
        case .claimWithoutBound: [.d2]
        case .shardUnproven, .shardTakenFromTheLiving: [.d3]
        case .ringsBelieved, .ringsAwaited: [.d4]
        }
    }

    package var summary: String {
        switch self {
        case .incarnationFromSnapshot: "the next incarnation is counted from what was read before the lock"
        case .deadHeartRevives: "a heartbeat does not ask whether the member is dead"
        case .deathWithoutVersion: "a death does not make a new version of the view"
        case .chainNeverBreaks: "gaps of heartbeats of up to ten minutes do not break the chain"
        case .accuserUnproven: "an accuser need not prove its own heartbeats"
        case .lockUnheeded: "the advisory lock is no sign of life"
        case .movingTarget: "an accusation does not look at the target's heartbeat"
        case .leadWithoutCompare: "the lead is taken from what was read before the lock"
        case .leaderUnchecked: "a leader's write checks neither its term nor its life"
        case .neverAccuses: "nobody accuses"
        case .grantOverHolder: "a grant replaces the lease that is there"
        case .epochsStartAgain: "epochs are counted from the leases that exist"
        case .endKeepsRow: "an end leaves the lease's row"
        case .rightUnchecked: "rule R3 left out: nobody looks whether the incarnation lives"
        case .deathWithoutLock: "a death does not wait for the commits of the dying one"
        case .epochUnchecked: "an end looks for the subject and not for the epoch"
        case .publishUnsealed: "a file is decided before its bytes are whole"
        case .decideOverName: "a decision replaces the one that stands"
        case .answerBeforeSync: "the client is answered before the folder is synced"
        case .reclaimUnread: "staging is cleared without a look at the decisions"
        case .decideUnfenced: "a decision does not ask whether its node lives"
        case .timelineKept: "a promotion does not begin a new timeline"
        case .viewNeverGoesBack: "a view that is older than the known one is never taken"
        case .readerUnchecked: "nobody asks whether the program can read the schema"
        case .claimKeepsReady: "a claim leaves the job's row in ready"
        case .finishKeepsClaim: "an ending leaves the claim's row"
        case .submissionUnchecked: "a submitter's key is not looked for"
        case .keyUnordered: "jobs of a key do not wait for each other"
        case .postponedCounts: "a postponed job has one attempt less"
        case .retryMovesHead: "a job that is to be tried again lets the next one of its key through"
        case .slotsUnguarded: "slots of limits are counted, and not unique"
        case .gateUnheeded: "a new limit does not wait for claims that do not know of it"
        case .headsNobodyStages: "an ending moves the head, and nobody lets the next one through"
        case .endsLookForTheNext: "an ending lets through what its own snapshot shows behind the head"
        case .claimsNobodySweeps: "nobody sweeps the claims of the dead"
        case .debtForEver: "a lane's debt counts however long it was passed over"
        case .claimWithoutBound: "a claim takes all that is ready"
        case .shardUnproven: "a write of an owner proves its life, and not that it owns the shard"
        case .shardTakenFromTheLiving: "whoever shall have a shard takes it from whoever has it"
        case .ringsBelieved: "a ring that says that a job has ended is believed"
        case .ringsAwaited: "only rings make a node look for jobs"
        }
    }
}
