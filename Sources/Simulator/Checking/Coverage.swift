/// Counts situations, to prove that a run or a sweep met them.
package final class Coverage {
    package enum Situation: Int, CaseIterable, Sendable {
        case evictedAfterCrash
        case evictedAfterSilence
        case evictedByJoiner
        case left
        case foundItselfDead
        case lockWaited
        case deathWaitedForCommit
        case commitWaitedForDeath
        case outcomeUnknown
        case unknownHadHappened
        case heartbeatLost
        case wokeAfterSlowWindow
        case nameRefused
        case accusationRefused
        case chainBroken
        case leaderChanged
        case staleLeaderRefused
        case granted
        case completed
        case commitFenced
        case leaseSwept
        case leaseTakenOver
        case overdueSwept
        case fileShown
        case fileAcknowledged
        case fileRolledForwardByOther
        case decisionFenced
        case nameBusy
        case stagingReclaimed
        case renameAnsweredWithError
        case powerCutLostBytes
        case departureCleared
        case failedOver
        case commitLost
        case schemaMigrated
        case oldProgramRefused
        case oldProgramLivedOn
        case jobEnqueued
        case jobWaitedForItsKey
        case jobClaimed
        case jobClaimedUnderLimit
        case jobClaimedAgain
        case jobDone
        case jobFailed
        case jobCancelled
        case jobPostponed
        case tidied
        case jobSentBack
        case endFenced
        case claimSwept
        case overdueClaimSwept
        case lostGrantGivenBack
        case claimFoundStale
        case limitSettled
        case limitMadeBehindClaim
        case keyPassedOn
        case checkpointNoted
        case workGivenBackWhileDraining
        case lanePassedOverLong
        case nodeFull
        case rang
        case shardAssigned
        case shardMovedByOrder
        case shardTaken
        case shardTakenFromDead
        case shardReleased
        case shardWritten
        case shardWriteRefused

        package var words: String {
            var words = ""
            for character in "\(self)" {
                if character.isUppercase { words += " " }
                words += character.lowercased()
            }
            return words
        }
    }

    @exclusivity(unchecked) package private(set) var counts = [Int](
        repeating: 0, count: Situation.allCases.count)

    package init() {}

    package func count(_ situation: Situation) { self.counts[situation.rawValue] += 1 }
    package subscript(_ situation: Situation) -> Int { self.counts[situation.rawValue] }

    package func add(_ counts: [Int]) {
        for index in self.counts.indices { self.counts[index] += counts[index] }
    }

    /// What never occurred.
    package var missing: [Situation] { Situation.allCases.filter { self[$0] == 0 } }
}
