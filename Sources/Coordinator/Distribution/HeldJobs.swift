package import ClusterModel

/// What a node has in hand: the claims that it knows of, and how far each has got.
package struct HeldJobs: Sendable, Equatable {
    package enum Phase: Sendable, Equatable {
        /// A handler works on it. Goes to `interrupted`, `lost` or `ending`.
        case running
        /// Cancelled, though the claim may stand: what is not done ends like this. Goes to `lost` or `ending`.
        case interrupted(JobEnd)
        /// The claim is gone, the handler not yet. Goes when the handler returns.
        case lost
        /// The handler has returned; the claim stands until the store has answered. Goes with the answer.
        case ending
    }

    struct Entry: Sendable, Equatable {
        var lane: JobLane
        var kind: JobKind
        var attempt: Int
        var phase: Phase
        /// On the own clock, counted from when the claim was sent.
        var overdueAt: ClusterInstant?
    }

    private var entries: [JobTitle: Entry] = [:]
    /// Handlers that have not returned, of claims held or lost.
    package private(set) var running = 0

    package init() {}

    package var count: Int { self.entries.count }
    package var isEmpty: Bool { self.entries.isEmpty }
    package var titles: [JobTitle] { Array(self.entries.keys) }
    package func isKnown(_ title: JobTitle) -> Bool { self.entries[title] != nil }
    package func phase(of title: JobTitle) -> Phase? { self.entries[title]?.phase }
    package func lane(of title: JobTitle) -> JobLane? { self.entries[title]?.lane }

    /// Claims of a kind that count against the node's own limit.
    package func count(of kind: JobKind) -> Int { self.entries.values.count { $0.kind == kind } }

    /// Whether a handler may rely on it.
    package func isHeld(_ title: JobTitle, at now: ClusterInstant) -> Bool {
        guard let entry = self.entries[title], entry.phase == .running else { return false }
        return entry.overdueAt.map { now < $0 } ?? true
    }

    package mutating func began(_ job: ClaimedJob, claimSentAt: ClusterInstant) {
        self.entries[job.title] = Entry(
            lane: job.lane, kind: job.kind, attempt: job.attempt, phase: .running,
            overdueAt: job.deadline.map { claimSentAt.advanced(by: $0) })
        self.running += 1
    }

    /// It is given back before a handler saw it.
    package mutating func refused(_ job: ClaimedJob) {
        self.entries[job.title] = Entry(
            lane: job.lane, kind: job.kind, attempt: job.attempt, phase: .ending, overdueAt: nil)
    }

    /// The handler has returned.
    ///
    /// Answers what to tell the store; nil when the claim is lost.
    package mutating func returned(_ title: JobTitle, _ end: JobEnd) -> JobEnd? {
        guard let entry = self.entries[title] else { return nil }
        switch entry.phase {
        case .running:
            self.entries[title]?.phase = .ending
            self.running -= 1
            return end
        case .interrupted(let other):
            self.entries[title]?.phase = .ending
            self.running -= 1
            // Work that is done is done; what a cancelled handler says of a failure is not to be believed.
            if case .done = end { return end }
            return other
        case .lost:
            self.entries[title] = nil
            self.running -= 1
            return nil
        case .ending:
            return nil
        }
    }

    /// The store has answered: the claim is gone, one way or another.
    package mutating func settled(_ title: JobTitle) {
        guard self.entries[title]?.phase == .ending else { return }
        self.entries[title] = nil
    }

    /// The claim was taken away.
    ///
    /// True: a handler is to be cancelled.
    package mutating func lost(_ title: JobTitle) -> Bool {
        switch self.entries[title]?.phase {
        case .running?:
            self.entries[title]?.phase = .lost
            return true
        case .interrupted?:
            self.entries[title]?.phase = .lost
            return false
        case .ending?:
            self.entries[title] = nil
            return false
        case .lost?, nil:
            return false
        }
    }

    /// All of them; answers those whose handlers are to be cancelled.
    package mutating func lostAll() -> [JobTitle] { self.titles.filter { self.lost($0) } }

    /// Handlers are to stop, though the claims stand; answers those to be cancelled.
    package mutating func interruptedAll(reason: String) -> [JobTitle] {
        let titles = self.titles.filter { self.entries[$0]?.phase == .running }
        for title in titles { self.entries[title]?.phase = .interrupted(.givenBack(reason: reason)) }
        return titles
    }

    /// The handler had its time: it is cancelled, and the attempt counts.
    ///
    /// Answers those that this concerns now.
    package mutating func overdue(at now: ClusterInstant) -> [JobTitle] {
        guard let next = self.nextOverdueAt, next <= now else { return [] }
        let overdue = self.entries.filter { entry in
            entry.value.phase == .running && entry.value.overdueAt.map { $0 <= now } ?? false
        }
        for (title, entry) in overdue {
            let pause = JobBackoff.standard.pause(attempt: entry.attempt, chance: 1)
            self.entries[title]?.phase = .interrupted(.retry(after: pause, reason: "its deadline passed"))
        }
        return Array(overdue.keys)
    }

    /// When the next one is overdue.
    package var nextOverdueAt: ClusterInstant? {
        self.entries.values.lazy.filter { $0.phase == .running }.compactMap(\.overdueAt).min()
    }
}
