import ClusterModel

/// A machine: it has a clock and a way to the database, and runs one process of a node at a time.
final class Host {
    unowned(unsafe) let world: World
    let index: Int
    let name: NodeName?
    let clock: NodeClock
    @exclusivity(unchecked) var link = Link()
    /// A second node that was given the name of the first.
    var isRival = false
    /// The newest schema that its program knows.
    var schema = 1
    /// Nobody starts it again.
    var isDown = false
    @exclusivity(unchecked) private(set) var process: NodeProcess?
    /// Nil while it is not paused.
    @exclusivity(unchecked) private(set) var pausedSince: Int64?
    private var pauseNumber = 0
    private var restartNumber = 0
    /// Starts in a row that did not come to anything.
    private var failures: Int64 = 0
    @exclusivity(unchecked) private var commitPause: Int64?
    /// Pauses before the step that comes after so many others.
    @exclusivity(unchecked) private var armed: (steps: Int, length: Int64)?
    @exclusivity(unchecked) var deferred: [Event] = []
    /// Since when nothing was done to it; nil while something is.
    var undisturbedSince: Int64? = 0

    init(index: Int, name: NodeName?, clock: NodeClock, world: World) {
        self.index = index
        self.name = name
        self.clock = clock
        self.world = world
    }

    /// Neither its way to the database nor its next steps are touched by a fault.
    var isUndisturbed: Bool { !self.link.isDisturbed && self.armed == nil }

    var label: String {
        self.isRival ? "\(self.name?.description ?? "")'" : "\(self.name?.description ?? "")"
    }

    func start() {
        guard self.process == nil, !self.isDown else { return }
        let process = NodeProcess(number: self.world.nextProcess(), host: self)
        self.process = process
        self.world.keep(process)
        self.undisturbedSince = self.world.stage.now
        self.deferred = []
        self.world.stage.story.tell(.started(host: self.index, process: process.number))
        process.start()
    }

    /// The process is gone, as by `kill -9`.
    ///
    /// - Parameter isSilent: as by a loss of power: the server is told nothing.
    func kill(isSilent: Bool) {
        guard let process = self.process else { return }
        self.world.stage.story.tell(.killed(host: self.index, isSilent: isSilent))
        self.process = nil
        self.pausedSince = nil
        self.armed = nil
        self.deferred = []
        process.isGone = true
        self.world.server.clientDied(process, isSilent: isSilent)
    }

    /// The process ended by itself, with a clear line, and its supervisor starts it again.
    func exited(reason: String) {
        guard let process = self.process else { return }
        self.world.stage.story.tell(.exited(host: self.index, reason: reason))
        self.process = nil
        self.deferred = []
        process.isGone = true
        self.world.server.clientDied(process, isSilent: false)
        guard !self.isRival else { return }
        // As supervisors do: longer and longer, up to half a minute.
        self.failures += 1
        self.restart(after: min(30, 1 << min(self.failures, 5)) * Span.second)
    }

    /// The newest order counts.
    func restart(after length: Int64) {
        self.restartNumber += 1
        let number = self.restartNumber
        self.world.stage.after(length) { [unowned self] in
            if number == self.restartNumber { self.start() }
        }
    }

    // MARK: Pauses

    func pause(for length: Int64) {
        guard self.process != nil, self.pausedSince == nil else { return }
        self.world.stage.story.tell(.paused(host: self.index, milliseconds: length / Span.millisecond))
        self.pausedSince = self.world.stage.now
        self.undisturbedSince = nil
        self.pauseNumber += 1
        let number = self.pauseNumber
        self.world.stage.after(length) { [unowned self] in
            guard self.pausedSince != nil, self.pauseNumber == number else { return }
            self.resume()
        }
    }

    /// Just before one of the coming steps, whatever that step is.
    func armPause(steps: Int, length: Int64) { self.armed = (steps, length) }

    /// Whether what is about to happen in this process has to wait.
    func mustPause() -> Bool {
        if let armed = self.armed, self.pausedSince == nil {
            self.armed = armed.steps > 0 ? (armed.steps - 1, armed.length) : nil
            if armed.steps <= 0 { self.pause(for: armed.length) }
        }
        return self.pausedSince != nil
    }

    func hasJoined() { self.failures = 0 }

    func disarm() {
        self.armed = nil
        self.commitPause = nil
    }

    /// Something that was done to it is over; perhaps the last thing.
    func settled() {
        guard self.pausedSince == nil, !self.link.isCut(at: self.world.stage.now) else { return }
        // A stalled death may hold its row until later.
        self.undisturbedSince = max(self.undisturbedSince ?? 0, self.world.stage.now)
    }

    /// The process looked at its standing and is about to send a commit.
    func committing() {
        guard let length = self.commitPause else { return }
        self.commitPause = nil
        self.pause(for: length)
    }

    func armCommitPause(length: Int64) { self.commitPause = length }

    func resume() {
        guard let since = self.pausedSince else { return }
        self.pausedSince = nil
        self.settled()
        guard self.process != nil else { return }
        self.world.stage.story.tell(.resumed(host: self.index))
        if self.world.stage.now - since > 5 * Span.second {
            self.world.stage.coverage.count(.wokeAfterSlowWindow)
        }
        let deferred = self.deferred
        self.deferred = []
        self.world.revive(deferred)
    }
}

/// What is wrong with a host's way to the database.
struct Link {
    private(set) var isDisturbed = false
    var requestsCutUntil: Int64 = 0 { didSet { self.isDisturbed = true } }
    var answersCutUntil: Int64 = 0 { didSet { self.isDisturbed = true } }
    var slowUntil: Int64 = 0 { didSet { self.isDisturbed = true } }
    /// Up to so much more delay for each message.
    var slowBy: Int64 = 0

    mutating func settle(at now: Int64) {
        self.isDisturbed = max(self.requestsCutUntil, self.answersCutUntil, self.slowUntil) > now
    }

    func isCut(at now: Int64) -> Bool { max(self.requestsCutUntil, self.answersCutUntil) > now }
}
