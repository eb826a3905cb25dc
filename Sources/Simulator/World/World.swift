import ClusterModel

/// One run: everything that exists, and the loop that lets it happen.
final class World {
    let settings: SimulationSettings
    let plan: FaultPlan
    let stage: Stage
    let judge: Judge
    let server: DatabaseServer
    let mount: SimulatedMount
    let stock: Stock
    @exclusivity(unchecked) private(set) var hosts: [Host] = []
    @exclusivity(unchecked) var nodeLots: SeededRandom
    /// Of clients, operators and the doorbell.
    @exclusivity(unchecked) var jobLots: SeededRandom
    var jobsSubmitted = 0
    private var lastProcess: Int32 = 0
    /// A replica is about to be promoted.
    var isFailingOver = false
    /// Versions of the schema that the program of the version before cannot read.
    var schemasForNewOnly: Set<Int> = []
    /// The members of the newest view that was read; see ``members(of:)``.
    var madeMembers: (version: Int64, timeline: Int64, members: [Member])?
    @exclusivity(unchecked) private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    @exclusivity(unchecked) private(set) var events = 0

    init(_ settings: SimulationSettings, plan: FaultPlan) {
        self.settings = settings
        self.plan = plan
        let lots = SeededRandom(seed: settings.seed)
        self.stage = Stage(lots: lots, tellsStory: settings.tellsStory)
        self.nodeLots = lots.stream(3)
        self.jobLots = lots.stream(6)
        self.stock = Stock(nodes: settings.nodes)
        self.judge = Judge(stage: self.stage)
        let database = Database(
            time: self.stage.time, slots: settings.slots, times: settings.storeTimes, twin: settings.twin,
            judge: self.judge, shards: SimulationSettings.shards)
        self.server = DatabaseServer(
            database, stage: self.stage, lots: lots.stream(4), plan: plan)
        self.mount = SimulatedMount(
            stage: self.stage, judge: self.judge, twin: settings.twin, lots: lots.stream(5),
            syncMax: plan.syncMax)
        for index in 0..<settings.nodes {
            let host = Host(
                index: index, name: NodeName("node-\(index + 1)"), clock: plan.clocks[index], world: self)
            self.hosts.append(host)
            self.stage.at(plan.starts[index]) { host.start() }
        }
        for fault in plan.faults { self.stage.at(fault.at) { [unowned self] in self.inflict(fault) } }
        self.stage.at(plan.calmFrom) { [unowned self] in self.calm() }
        self.server.clientOfStalled = { [unowned self] in self.clientStalls($0, $1, dying: $2) }
        self.mount.powerCut = { [unowned self] in self.cutPower(restart: $0) }
        self.server.claimStalled = { [unowned self] in self.limitBehind($0) }
        self.beginJobs()
        self.judge.isHealthy = { [unowned self] in self.isHealthy($0) }
    }

    /// Messages of processes that are gone may still be under way.
    private var processes: [NodeProcess] = []

    func keep(_ process: NodeProcess) { self.processes.append(process) }

    /// Numbers of uploads.
    private var lastOperation = 0

    func nextOperation() -> Int {
        self.lastOperation += 1
        return self.lastOperation
    }

    func nextProcess() -> Int32 {
        self.lastProcess += 1
        return self.lastProcess
    }

    /// Another machine that was given a name that is in use.
    func rival(of host: Host) -> Host {
        let rival = Host(index: self.hosts.count, name: host.name, clock: host.clock, world: self)
        rival.isRival = true
        self.hosts.append(rival)
        return rival
    }

    // MARK: The loop

    /// Until the end, or the first violation.
    func run(judgesEnd: Bool = true) {
        while let event = self.stage.popFirst() {
            guard event.at <= self.plan.endsAt else { break }
            self.stage.time.now = event.at
            self.events += 1
            let mark = UInt64(bitPattern: event.at &+ Int64(event.kind.rawValue) &+ Int64(event.node) << 48)
            self.digest = (self.digest ^ mark) &* 0x100_0000_01B3
            self.handle(event)
            if self.judge.violation != nil { return }
        }
        self.stage.time.now = self.plan.endsAt
        if judgesEnd { self.judgeEnd() }
    }

    private func handle(_ event: Event) {
        switch event.kind {
        case .call: self.stage.takeCall(event.value)?()
        case .statementStep: self.server.step(event.value)
        case .beatArrives: self.server.beatArrives(self.hosts[Int(event.node)], event.process, event.value)
        case .beatDue, .beatAnswered, .holderDue, .woke, .nodeCall:
            let host = self.hosts[Int(event.node)]
            guard let process = host.process, process.number == event.process else {
                if event.kind == .nodeCall { _ = self.stage.takeCall(event.value) }
                return
            }
            if host.mustPause() {
                host.deferred.append(event)
            } else {
                self.handle(event, in: process)
            }
        }
    }

    private func handle(_ event: Event, in process: NodeProcess) {
        switch event.kind {
        case .beatDue: process.beatDue()
        case .beatAnswered: process.beatAnswered(event.value)
        case .holderDue: process.holderDue()
        case .woke: process.wokeDue()
        case .nodeCall: self.stage.takeCall(event.value)?()
        case .beatArrives, .statementStep, .call: break
        }
    }

    /// Puts what a paused process missed back into the queue, in any order: its threads wake in any order.
    func revive(_ deferred: [Event]) {
        var deferred = deferred
        self.nodeLots.shuffle(&deferred)
        for event in deferred {
            self.stage.add(again: event, at: self.stage.now + self.nodeLots.between(0, 2 * Span.millisecond))
        }
    }

    /// Whether the process of an incarnation runs, is not paused, and could reach the database for a while.
    private func isHealthy(_ incarnation: Int64) -> Bool {
        guard
            let host = self.hosts.first(where: { $0.process?.incarnation?.rawValue == incarnation }),
            let process = host.process, process.phase == .living,
            self.stage.now - process.livingSince > 5 * Span.second
        else { return false }
        guard !host.link.isCut(at: self.stage.now) else { return false }
        return host.undisturbedSince.map { self.stage.now - $0 > 3 * Span.second } ?? false
    }
}
