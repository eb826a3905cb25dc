/// What everything in a run stands on: time, the queue of events, the network's lots, and who watches.
final class Stage {
    let time = TrueTime()
    let story: Story
    let coverage = Coverage()
    @exclusivity(unchecked) private(set) var queue = EventQueue()
    @exclusivity(unchecked) private var calls: ContiguousArray<(() -> Void)?> = []
    @exclusivity(unchecked) private var freeCalls: [Int] = []
    /// A stream of its own, so that what the network draws does not move what others draw.
    @exclusivity(unchecked) private var networkLots: SeededRandom

    init(lots: SeededRandom, tellsStory: Bool) {
        self.networkLots = lots.stream(1)
        self.story = Story(isTold: tellsStory, time: self.time)
    }

    var now: Int64 { self.time.now }

    func popFirst() -> Event? { self.queue.popFirst() }

    func takeCall(_ place: Int) -> (() -> Void)? {
        let call = self.calls[place]
        self.calls[place] = nil
        self.freeCalls.append(place)
        return call
    }

    private func keep(_ call: @escaping () -> Void) -> Int {
        if let place = self.freeCalls.popLast() {
            self.calls[place] = call
            return place
        }
        self.calls.append(call)
        return self.calls.count - 1
    }

    // MARK: Asking for events

    func add(_ kind: Event.Kind, at: Int64, process: NodeProcess, value: Int = 0) {
        self.queue.add(
            kind, at: max(at, self.now), node: process.host.index, process: process.number, value: value)
    }

    func add(again event: Event, at: Int64) {
        self.queue.add(event.kind, at: at, node: Int(event.node), process: event.process, value: event.value)
    }

    func addStep(of statement: Int, at: Int64) { self.queue.add(.statementStep, at: at, value: statement) }

    func at(_ moment: Int64, _ body: @escaping () -> Void) {
        self.queue.add(.call, at: max(moment, self.now), value: self.keep(body))
    }

    func after(_ length: Int64, _ body: @escaping () -> Void) { self.at(self.now + length, body) }

    /// Something that a process does or hears: nothing when the process is gone by then, late when it is paused.
    func at(_ moment: Int64, in process: NodeProcess, _ body: @escaping () -> Void) {
        self.add(.nodeCall, at: moment, process: process, value: self.keep(body))
    }

    // MARK: The network

    enum Passage {
        case arrives(Int64)
        /// Kept back by a cut and delivered when it heals.
        case late(Int64)
        case lost
    }

    /// When a message from a host reaches the database's server, or the other way.
    func passage(_ host: Host, isRequest: Bool) -> Passage {
        let now = self.now
        let delay = 40 * Span.microsecond + Int64(self.networkLots.below(160_000))
        guard host.link.isDisturbed else { return .arrives(now + delay) }
        let cutUntil = isRequest ? host.link.requestsCutUntil : host.link.answersCutUntil
        if cutUntil > now {
            // TCP sends again what it has not given up: 5 s.
            let isKept = cutUntil - now < 5 * Span.second && self.networkLots.chance(500)
            guard isKept else { return .lost }
            return .late(cutUntil + delay + self.networkLots.between(0, 200 * Span.millisecond))
        }
        if host.link.slowUntil > now {
            return .arrives(now + delay + self.networkLots.between(0, host.link.slowBy))
        }
        host.link.settle(at: now)
        return .arrives(now + delay)
    }
}
