package import ClusterModel

/// Decides when endings of claims go to the store, and what follows when it does not answer.
///
/// A lone ending goes at once; those that come while a statement is in flight go out together in the next one. An ending
/// stays until the store has answered it or the claim is known to be gone; there are no more of them than claims.
package struct JobEndings: Sendable, Equatable {
    package struct Settings: Sendable, Equatable {
        /// Of one statement; the store takes no more than 1,000.
        package var batch = 500
        /// Between two attempts when the database does not answer; doubles from the first to the second.
        package var pauseMin: Duration = .milliseconds(50)
        package var pauseMax: Duration = .seconds(2)
        /// Before an ending that the database refuses is tried again, as a retry that says why.
        package var refusedPause: Duration = .seconds(10)

        package init() {}
    }

    package enum Order: Sendable, Equatable {
        case finish([JobEnding])
        /// The answer of a finish was lost (R2): what this incarnation still holds.
        case readClaims
    }

    package struct Next: Sendable, Equatable {
        package var order: Order?
        package var wakeAt: ClusterInstant?

        package init(order: Order? = nil, wakeAt: ClusterInstant? = nil) {
            self.order = order
            self.wakeAt = wakeAt
        }
    }

    /// Why a statement failed.
    package enum Failure: Sendable, Equatable {
        /// Nothing was done.
        case notRun
        /// Nobody knows.
        case mayHaveRun
        /// Nothing was done, and the same fails again.
        case refused(String)
    }

    private enum InFlight: Sendable, Equatable {
        case finish([JobEnding])
        case readClaims
    }

    private let settings: Settings
    private var waiting: [JobEnding] = []
    private var inFlight: InFlight?
    /// Endings whose answer was lost.
    private var doubtful: [JobEnding] = []
    /// Endings that the database refused alone, and when they may be tried again.
    private var refused: [(ending: JobEnding, at: ClusterInstant)] = []
    private var batch: Int
    private var pause: Duration
    private var pausedUntil: ClusterInstant = .zero

    package init(settings: Settings = Settings()) {
        self.settings = settings
        self.batch = settings.batch
        self.pause = settings.pauseMin
    }

    package static func == (left: JobEndings, right: JobEndings) -> Bool {
        left.waiting == right.waiting && left.inFlight == right.inFlight && left.doubtful == right.doubtful
            && left.refused.map(\.ending) == right.refused.map(\.ending) && left.batch == right.batch
    }

    /// Endings that the store has not answered.
    package var count: Int {
        var count = self.waiting.count + self.doubtful.count + self.refused.count
        if case .finish(let endings)? = self.inFlight { count += endings.count }
        return count
    }

    // MARK: What happened

    package mutating func ended(_ ending: JobEnding) { self.waiting.append(ending) }

    /// The claim is gone: nothing is to be said of it any more.
    package mutating func lost(_ title: JobTitle) {
        self.waiting.removeAll { $0.title == title }
        self.doubtful.removeAll { $0.title == title }
        self.refused.removeAll { $0.ending.title == title }
    }

    /// A new incarnation, or none: nothing of before can be ended.
    package mutating func died() { self = JobEndings(settings: self.settings) }

    /// What came of each; the caller lets go of all of them.
    package mutating func finished(_ answers: [JobEndAnswer]) -> [(JobEnding, JobEndAnswer)] {
        guard case .finish(let endings)? = self.inFlight else { return [] }
        self.inFlight = nil
        self.pause = self.settings.pauseMin
        self.batch = min(self.batch * 2, self.settings.batch)
        // A store that answers too few has told nothing of the rest: it is read.
        self.doubtful += endings.dropFirst(answers.count)
        return Array(zip(endings, answers))
    }

    package mutating func failed(_ failure: Failure, at now: ClusterInstant) {
        defer { self.inFlight = nil }
        self.pausedUntil = now.advanced(by: self.pause)
        self.pause = min(self.pause * 2, self.settings.pauseMax)
        guard case .finish(let endings)? = self.inFlight else { return }
        switch failure {
        case .notRun:
            self.waiting = endings + self.waiting
        case .mayHaveRun:
            self.doubtful += endings
        case .refused(let reason):
            if endings.count > 1 {
                // One of them spoils it for the others: halves find which.
                self.batch = max(1, endings.count / 2)
                self.waiting = endings + self.waiting
                self.pausedUntil = now
            } else if let ending = endings.first {
                self.refused.append(
                    (self.mended(ending, reason), now.advanced(by: self.settings.refusedPause)))
                self.pausedUntil = now
            }
        }
    }

    /// All claims of this incarnation were read.
    ///
    /// Answers the endings whose claims are gone: they were accepted, or the right was lost before; nobody
    /// has to know. The others are sent again.
    package mutating func claimsRead(_ titles: Set<JobTitle>) -> [JobEnding] {
        guard self.inFlight == .readClaims else { return [] }
        self.inFlight = nil
        self.pause = self.settings.pauseMin
        let gone = self.doubtful.filter { !titles.contains($0.title) }
        self.waiting = self.doubtful.filter { titles.contains($0.title) } + self.waiting
        self.doubtful = []
        return gone
    }

    // MARK: What to do

    package mutating func next(at now: ClusterInstant) -> Next {
        guard self.inFlight == nil else { return Next() }
        let due = self.refused.filter { $0.at <= now }.map(\.ending)
        self.refused.removeAll { $0.at <= now }
        self.waiting += due
        guard !self.waiting.isEmpty || !self.doubtful.isEmpty else {
            return Next(wakeAt: self.refused.map(\.at).min())
        }
        guard self.pausedUntil <= now else { return Next(wakeAt: self.pausedUntil) }
        if !self.doubtful.isEmpty {
            self.inFlight = .readClaims
            return Next(order: .readClaims)
        }
        let endings = self.takeBatch()
        self.inFlight = .finish(endings)
        return Next(order: .finish(endings))
    }

    /// Each job once: one that was taken away unheard, and claimed here again, may wait with two endings.
    private mutating func takeBatch() -> [JobEnding] {
        var taken: [JobEnding] = []
        var left: [JobEnding] = []
        var jobs: Set<JobID> = []
        for ending in self.waiting {
            if taken.count < self.batch, jobs.insert(ending.title.job).inserted {
                taken.append(ending)
            } else {
                left.append(ending)
            }
        }
        self.waiting = left
        return taken
    }

    /// What the database does not take as it is ends as a failed attempt that says so.
    private func mended(_ ending: JobEnding, _ reason: String) -> JobEnding {
        let shown = String(reason.unicodeScalars.filter { $0.value >= 0x20 }.prefix(200).map(Character.init))
        return JobEnding(
            title: ending.title,
            end: .retry(after: .seconds(60), reason: "the database refused how it ended: \(shown)"))
    }
}
