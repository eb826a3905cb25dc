import ClusterModel
import ClusterPorts

/// How a round of the ticker goes: what is still owned, what was done, and when there will be more to do.
///
/// Pure: it is told what happened.
struct TickCourse {
    private var owned: [ShardNumber: ShardTitle]
    private var done: [ShardNumber: Double] = [:]
    private var isTroubled = false
    /// Everything that is due was seen; nil while there may be more.
    private var seen: DatabaseTime?
    private var next: DatabaseTime?

    init(_ titles: [ShardTitle]) {
        self.owned = Dictionary(titles.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
    }

    /// By number.
    var shards: [ShardNumber] { self.owned.keys.sorted() }

    func owns(_ shard: ShardNumber) -> Bool { self.owned[shard] != nil }

    func titles(of turns: [ScheduleTurn]) -> [ShardTitle] {
        Set(turns.map(\.schedule.id.shard)).sorted().compactMap { self.owned[$0] }
    }

    mutating func keep(_ isHeld: (ShardTitle) -> Bool) { self.owned = self.owned.filter { isHeld($0.value) } }

    mutating func troubled() { self.isTroubled = true }

    mutating func read(_ due: DueSchedules) {
        for schedule in due.schedules {
            self.expect(schedule.rhythm.next(after: due.now))
        }
    }

    /// The last page was read.
    mutating func looked(at now: DatabaseTime, next: DatabaseTime?) {
        self.seen = now
        if let next { self.expect(next) }
    }

    private mutating func expect(_ time: DatabaseTime) { self.next = min(self.next ?? time, time) }

    /// What was asked for, what came of it, and by which titles; answers those that are lost.
    mutating func fired(_ turns: [ScheduleTurn], _ fired: ScheduleFired, _ titles: [ShardTitle])
        -> [ShardTitle]
    {
        for turn in turns where fired.jobs[turn.schedule.id] != nil {
            self.done[turn.schedule.id.shard, default: 0] += 1
        }
        let lost = titles.filter { !fired.owned.contains($0.number) }
        for title in lost { self.owned[title.number] = nil }
        return lost
    }

    /// - Parameter since: how long ago the last page was read.
    func round(since: Duration, idle: Duration, afterTrouble: Duration) -> StandingRound {
        var rest: Duration
        if self.owned.isEmpty {
            rest = idle
        } else if let seen = self.seen {
            let wait = self.next.map { Duration.microseconds($0.microseconds - seen.microseconds) - since }
            rest = max(.zero, min(idle, wait ?? idle))
        } else {
            rest = .zero
        }
        // What went wrong is tried again soon, but not at once.
        if self.isTroubled { rest = self.seen == nil ? afterTrouble : min(rest, afterTrouble) }
        return StandingRound(done: self.done, rest: rest)
    }
}
