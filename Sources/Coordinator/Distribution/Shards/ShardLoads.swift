package import ClusterModel

/// What an owner measures of its shards, and when that is worth a statement.
package struct ShardLoads: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        var title: ShardTitle
        var load: ShardLoad
        /// What the row says.
        var reported: Double
        /// Since it was measured last.
        var work = 0.0
        var since: ClusterInstant
    }

    private let rules: ShardRules
    private var entries: [ShardNumber: Entry] = [:]

    package init(rules: ShardRules = .standard) { self.rules = rules }

    /// - Parameter known: what the row says.
    package mutating func begin(_ title: ShardTitle, known: Double, at now: ClusterInstant) {
        let load = ShardLoad(known: known, rules: self.rules)
        self.entries[title.number] = Entry(title: title, load: load, reported: load.smoothed, since: now)
    }

    package mutating func end(_ title: ShardTitle) {
        guard self.entries[title.number]?.title == title else { return }
        self.entries[title.number] = nil
    }

    /// So many units were done; what is no number, and what nobody owns, counts nothing.
    package mutating func done(_ units: Double, of number: ShardNumber) {
        guard units.isFinite, units > 0 else { return }
        self.entries[number]?.work += units
    }

    package mutating func measure(at now: ClusterInstant) {
        for number in Array(self.entries.keys) {
            guard var entry = self.entries[number] else { continue }
            entry.load.measured(entry.work, over: now.since(entry.since))
            entry.work = 0
            entry.since = now
            self.entries[number] = entry
        }
    }

    /// What is to be reported, by number: nothing while all changes together are too small to matter, else all that
    /// changed.
    package var due: [(title: ShardTitle, load: Double)] {
        let changed = self.entries.values.filter { $0.load.smoothed != $0.reported }
        let change = changed.reduce(0) { $0 + ($1.load.smoothed - $1.reported).magnitude }
        let said = self.entries.values.reduce(0) { $0 + $1.reported }
        guard change >= max(self.rules.reportedLeast, said * self.rules.reportedPart) else { return [] }
        return changed.sorted { $0.title.number < $1.title.number }.map { ($0.title, $0.load.smoothed) }
    }

    /// The database has noted it.
    package mutating func reported(_ load: Double, of title: ShardTitle) {
        guard self.entries[title.number]?.title == title else { return }
        self.entries[title.number]?.reported = load
    }
}
