/// What happened, in order; told only when somebody asked for it, since words take time.
final class Story {
    struct Line {
        var at: Int64
        var event: StoryEvent
    }

    let isTold: Bool
    private let time: TrueTime
    /// The newest; older ones are dropped.
    private(set) var lines: ContiguousArray<Line> = []
    /// A rule is broken: what the same step did besides is not told.
    private var isOver = false
    private static let linesMax = 100_000

    init(isTold: Bool, time: TrueTime) {
        self.isTold = isTold
        self.time = time
    }

    func tell(_ event: @autoclosure () -> StoryEvent) {
        guard self.isTold, !self.isOver else { return }
        if self.lines.count >= Self.linesMax { self.lines.removeFirst(Self.linesMax / 2) }
        let event = event()
        if case .broken = event { self.isOver = true }
        self.lines.append(Line(at: self.time.now, event: event))
    }
}

enum StoryEvent {
    case started(host: Int, process: Int32)
    case killed(host: Int, isSilent: Bool)
    case exited(host: Int, reason: String)
    case paused(host: Int, milliseconds: Int64)
    case resumed(host: Int)
    case fault(Fault)
    case databaseBack
    case calm
    case migrated(to: Int)
    case drew(Int64)
    case joined(incarnation: Int64, slot: Int16)
    case declaredDead(Int64, by: Int64, lockHeld: Bool)
    case evicted(Int64, byJoiner: Int64)
    case died(Int64, slot: Int16)
    case foundDead(host: Int, incarnation: Int64)
    case led(Int64, term: Int64)
    case granted(subject: String, epoch: Int64, to: Int64)
    case ended(subject: String, epoch: Int64, by: Int64)
    case refusedEnd(subject: String, epoch: Int64, by: Int64)
    case swept(subject: String, epoch: Int64, of: Int64)
    case decided(path: Int, operation: Int, by: Int64)
    case shown(path: Int, operation: Int)
    case acknowledged(path: Int, operation: Int)
    case discarded(operation: Int)
    case enqueued(job: Int64, String, key: String?)
    case claimed(job: Int64, epoch: Int64, by: Int64)
    case finished(job: Int64, epoch: Int64, by: Int64)
    case claimTaken(job: Int64, epoch: Int64, of: Int64)
    case assigned(shard: Int, to: Int64)
    case tookShard(Int, epoch: Int64, by: Int64)
    case broken(Violation)
}
