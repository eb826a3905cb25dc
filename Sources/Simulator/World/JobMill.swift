import ClusterModel
import ClusterPorts

import struct Foundation.UUID

/// The work that clients submit and the handlers do.
enum JobMill {
    static let kinds: Set<JobKind> = Set(["copy", "verify", "hook"].compactMap { JobKind($0) })
    static let limited = JobKind("hook")
    static let ordered = ["copy", "verify", "hook"].compactMap { JobKind($0) }
    static let accounts: [AccountID] = (1...3).map {
        AccountID(UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8($0))))
    }
    private static let quick = "quick"
    /// More than a lane may owe.
    private static let huge: Int64 = 8 << 30

    /// - Parameter number: tells it from every other that ever was submitted.
    static func spec(_ number: Int, isCrowded: Bool, _ lots: inout SeededRandom) -> JobSpec? {
        guard let kind = lots.pick(self.ordered) else { return nil }
        var spec = JobSpec(kind: kind, payload: "", submitter: "client")
        spec.maxAttempts = 2 + lots.below(4)
        if isCrowded {
            spec.kind = self.ordered[lots.below(2)]
            let isHuge = lots.chance(60)
            spec.account = self.accounts[isHuge ? 2 : lots.below(2)]
            spec.bytes = isHuge ? self.huge : 1_000
            spec.maxAttempts = 5
            return spec
        }
        if lots.chance(500) { spec.account = self.accounts[lots.below(2)] }
        if lots.chance(350) { spec.orderKey = "key-\(lots.below(4))" }
        if lots.chance(150) {
            spec.delay = .milliseconds(lots.between(1, spec.orderKey == nil ? 6_000 : 400))
        }
        if lots.chance(100) { spec.deadline = .milliseconds(lots.between(1_000, 5_000)) }
        if lots.chance(100) { spec.requires = ["zone=\(lots.below(2))"] }
        if lots.chance(100) { spec.priority = lots.below(10) }
        if lots.chance(600) { spec.idempotencyKey = "\(number)" }
        spec.bytes = lots.between(0, 200_000)
        // Where one waits for the other, all are quick.
        let waits = spec.orderKey != nil || spec.kind == self.limited || spec.account == self.accounts[0]
        if waits { spec.payload = self.quick }
        return spec
    }

    static func length(of job: ClaimedJob, _ lots: inout SeededRandom) -> Duration {
        if job.bytes == self.huge { return .milliseconds(lots.between(200, 2_000)) }
        if job.payload == self.quick { return .milliseconds(lots.between(5, lots.chance(20) ? 5_000 : 250)) }
        if job.deadline != nil { return .milliseconds(lots.between(20, 8_000)) }
        return .milliseconds(lots.between(5, lots.chance(30) ? 6_000 : 1_200))
    }

    static func end(of job: ClaimedJob, _ lots: inout SeededRandom) -> JobEnd {
        switch lots.below(100) {
        case 0..<8:
            .retry(
                after: .milliseconds(lots.between(1, job.payload == self.quick ? 300 : 3_000)),
                reason: "not yet")
        case 8..<11: .failed(reason: "never")
        case 11..<13 where job.attempt < 3: .givenBack(reason: "not here")
        case 13..<16:
            .postponed(
                for: .milliseconds(lots.between(1, job.payload == self.quick ? 300 : 3_000)), reason: "busy")
        default: .done(note: nil)
        }
    }
}

/// How much there is to do, and how Redis is; decided by the seed.
struct JobPlan: Sendable, Equatable {
    enum Redis: Int, Sendable {
        case fine
        case silent
        /// Rings come late, twice, for nothing, and say what is not true.
        case lies
    }
    /// The mean pause between two batches of jobs; 0 for none.
    var pause: Int64
    /// Slots of each node.
    var capacity: Int
    /// More than the nodes can do for a while.
    var isCrowded: Bool
    var redis: Redis
    /// The mean pause between two writes of a node for its shards.
    var shardPause: Int64
    /// The mean pause between two orders of operators.
    var orderPause: Int64
    /// How many times as seldom as in production idle nodes look: long runs are for what comes of long times.
    var slowness: Int
    /// What ended is kept for so long; longer than clients send the same again, and than the database's clock is set
    /// ahead.
    var kept: Duration = .seconds(300)

    /// Nothing left to chance.
    init(pause: Int64) {
        self.pause = pause
        self.capacity = 4
        self.isCrowded = false
        self.redis = .fine
        self.shardPause = 4 * Span.second
        self.orderPause = 15 * Span.second
        self.slowness = 1
    }

    init(_ settings: SimulationSettings, _ lots: inout SeededRandom) {
        let isLong = settings.minutes >= 20
        self.pause = (isLong ? [30, 60, 90] : [1, 2, 4])[lots.below(3)] * Span.second
        self.capacity = isLong ? 4 : 2 + lots.below(3)
        self.isCrowded = !isLong && lots.chance(150)
        self.redis = [.fine, .silent, .lies][lots.below(3)]
        self.shardPause = (isLong ? [60, 120] : [1, 4])[lots.below(2)] * Span.second
        self.slowness = isLong ? 8 : 1
        self.orderPause = (isLong ? [60, 120] : [2, 8])[lots.below(2)] * Span.second
    }
}
