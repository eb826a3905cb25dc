import Foundation
import Synchronization

/// Counts attempts, and keeps the first few that should not have been.
final class CommitTally: Sendable {
    struct Counts: Encodable, Sendable {
        var evictions = 0
        var accusations = 0
        var joinersAccusations = 0
        /// Attempts before and during evictions.
        var liveTried = 0
        var liveAccepted = 0
        /// Attempts that began after the eviction was answered.
        var staleTried = 0
        var staleAccepted = 0
        /// Rows of the dead whose transaction was committed after the one that declared the death.
        var rowsAfterDeath = 0
        var rowsJudged = 0
        /// Answers that never came, on either side: nobody knows.
        var unknown = 0
        var staleByKind: [String: Int] = [:]
        var liveAcceptedByKind: [String: Int] = [:]
        var violations: [String] = []
        /// Of the unknown ones, some.
        var errors: [String] = []
        var seconds = 0.0
    }

    private let counts = Mutex(Counts())

    /// Kept of the violations, and of the errors.
    private static let keptMax = 10

    var now: Counts { self.counts.withLock { $0 } }

    func change(_ body: (inout Counts) -> Void) { self.counts.withLock { body(&$0) } }

    /// - Parameter isStale: the eviction had been answered before the attempt began.
    func tried(_ kind: CommitKind, isStale: Bool, accepted: Bool, story: @autoclosure () -> String) {
        let story = accepted && isStale ? story() : ""
        self.counts.withLock { counts in
            guard isStale else {
                counts.liveTried += 1
                if accepted {
                    counts.liveAccepted += 1
                    counts.liveAcceptedByKind[kind.rawValue, default: 0] += 1
                }
                return
            }
            counts.staleTried += 1
            counts.staleByKind[kind.rawValue, default: 0] += 1
            guard accepted else { return }
            counts.staleAccepted += 1
            Self.note("\(kind): \(story)", in: &counts)
        }
    }

    func judged(rows: Int, afterDeath: Int, story: String) {
        self.counts.withLock { counts in
            counts.rowsJudged += rows
            counts.rowsAfterDeath += afterDeath
            if afterDeath > 0 { Self.note("\(afterDeath) rows after its death: \(story)", in: &counts) }
        }
    }

    /// Answers how often that has happened.
    func failed(_ what: String, _ error: any Error) -> Int {
        self.counts.withLock { counts in
            counts.unknown += 1
            if counts.errors.count < Self.keptMax { counts.errors.append("\(what): \(error)") }
            return counts.unknown
        }
    }

    private static func note(_ violation: String, in counts: inout Counts) {
        if counts.violations.count < Self.keptMax { counts.violations.append(violation) }
    }

    func printLine() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        encoder.keyEncodingStrategy = .convertToSnakeCase
        print(String(decoding: try encoder.encode(self.now), as: UTF8.self))
    }
}
