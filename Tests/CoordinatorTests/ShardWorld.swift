import ClusterModel
import Coordinator
import Foundation

/// A cluster in which only the standing work goes on: nodes with keepers, a leader with the balancer, the table.
///
/// A tick is a second. Answers of the table come up to two ticks late, work in hand ends some ticks after it was
/// asked to, the measured load is off by up to a fifth.
final class ShardWorld {
    enum Event {
        case answered(ShardNumber, Epoch?)
        case lostAnswer(ShardNumber)
        case ended(ShardTitle)
        case released(ShardTitle)
    }

    struct Node {
        var member: Member
        var keeper: ShardKeeper
        var isPaused = false
        var loads: [ShardNumber: ShardLoad] = [:]
        var coming: [(at: Int64, event: Event)] = []
    }

    var table = ShardTable()
    var nodes: [Node] = []
    var truth: [Double]
    var dice: ShardDice
    var now: Int64 = 0
    /// Of a hundred answers to takings so many never come.
    var lostAnswers = 0
    /// Keepers that look away from whoever owns a shard: a broken twin.
    var isBlind = false
    private let rules: ShardRules
    private var nextIncarnation: Int64 = 1
    private var leader: Incarnation?
    private var viewVersion: Int64 = 0
    private var plannedView: Int64 = -1
    /// A plan that its leader writes late.
    private var late: (moves: [ShardMove], term: Int64)?

    // What is judged.
    private(set) var moves: [(at: Int64, move: ShardMove)] = []
    /// Two living nodes at work on one shard in one tick.
    private(set) var overlaps = 0
    /// Writes that the table refused.
    private(set) var fenced = 0

    init(_ seed: Int, rules: ShardRules = .standard) {
        self.dice = ShardDice(seed)
        self.truth = self.dice.zipf()
        self.rules = rules
    }

    // MARK: What happens to the cluster

    func join(_ name: String, capacity: Int = 8) {
        guard let me = Incarnation(rawValue: self.nextIncarnation) else { return }
        self.nextIncarnation += 1
        self.nodes.append(
            Node(
                member: Member(
                    slot: Slot(Int16(self.nextIncarnation)), name: MembershipTests.name(name),
                    incarnation: me,
                    status: .active, heartbeats: 1, lastHeartbeat: Date(timeIntervalSince1970: 0),
                    joinedAt: Date(timeIntervalSince1970: 0), unbrokenSince: Date(timeIntervalSince1970: 0),
                    addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1",
                    attributes: [:], capacity: capacity, load: .idle),
                keeper: ShardKeeper(me, rules: self.rules)))
        self.table.living.insert(me)
        self.viewVersion += 1
    }

    var active: [Int] { self.nodes.indices.filter { self.nodes[$0].member.status == .active } }
    var living: [Int] { self.nodes.indices.filter { self.nodes[$0].member.status != .dead } }

    /// It stops at once, or does not know of its death and goes on after a while.
    func die(_ index: Int, paused: Bool = false) {
        self.nodes[index].member.status = .dead
        self.nodes[index].isPaused = paused
        self.table.living.remove(self.nodes[index].member.incarnation)
        if !paused { _ = self.nodes[index].keeper.isolated() }
        self.viewVersion += 1
    }

    func wake(_ index: Int) { self.nodes[index].isPaused = false }

    func drain(_ index: Int, _ isDraining: Bool = true) {
        self.nodes[index].member.status = isDraining ? .draining : .active
        self.viewVersion += 1
    }

    func pin(_ number: Int, to name: String?) {
        self.table.rows[number].record.pinned = name.map(MembershipTests.name)
        self.viewVersion += 1
    }

    var view: ClusterView {
        ClusterView(
            cluster: ClusterID(UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))),
            version: self.viewVersion, memberLimit: 50, schemaVersion: 4, configVersion: ConfigVersion(1),
            members: self.nodes.map(\.member), readAt: Date(timeIntervalSince1970: 0))
    }

    // MARK: Time

    func run(_ seconds: Int) {
        for _ in 0..<seconds { self.tick() }
    }

    func tick() {
        self.now += 1_000
        self.lead()
        let records = self.table.records(at: self.now)
        let at = ClusterInstant.zero.advanced(by: .milliseconds(self.now))
        for index in self.nodes.indices where !self.nodes[index].isPaused {
            self.deliver(index)
            if self.nodes[index].member.status != .dead { self.read(index, records, at) }
            self.perform(self.nodes[index].keeper.passed(to: at), index)
            self.work(index)
        }
        self.judge()
    }

    private func lead() {
        let leader = self.living.first.map { self.nodes[$0].member.incarnation }
        if leader != self.leader {
            self.leader = leader
            self.table.term += 1
        }
        if let late = self.late {
            self.late = nil
            self.write(late.moves, term: late.term)
        }
        guard leader != nil, self.viewVersion != self.plannedView || self.now % 5_000 == 0 else { return }
        self.plannedView = self.viewVersion
        let plan = ShardBalancer(rules: self.rules).plan(self.table.records(at: self.now), view: self.view)
        if self.dice.chance(20) {
            self.late = (plan, self.table.term)
        } else {
            self.write(plan, term: self.table.term)
        }
    }

    private func write(_ plan: [ShardMove], term: Int64) {
        self.moves += self.table.assign(plan, term: term, at: self.now).map { (self.now, $0) }
    }

    private func read(_ index: Int, _ records: [ShardRecord], _ at: ClusterInstant) {
        let me = self.nodes[index].member.incarnation
        let known = Set(self.nodes[index].keeper.knows)
        var own = records.filter { $0.wanted == me || $0.owner == me || known.contains($0.number) }
        if self.isBlind {
            for place in own.indices where own[place].owner != me { own[place].owner = nil }
        }
        let living = self.table.living
        self.perform(self.nodes[index].keeper.read(own, living: living, at: at), index)
    }

    private func deliver(_ index: Int) {
        let due = self.nodes[index].coming.filter { $0.at <= self.now }
        self.nodes[index].coming.removeAll { $0.at <= self.now }
        for (_, event) in due {
            switch event {
            case .answered(let number, let epoch):
                self.perform(self.nodes[index].keeper.took(number, epoch), index)
            case .lostAnswer(let number): self.nodes[index].keeper.takingUnknown(number)
            case .ended(let title): self.perform(self.nodes[index].keeper.ended(title), index)
            case .released(let title): self.nodes[index].keeper.released(title)
            }
        }
    }

    private func perform(_ orders: [ShardOrder], _ index: Int) {
        let me = self.nodes[index].member.incarnation
        for order in orders {
            let answer = self.now + Int64.random(in: 0...2, using: &self.dice) * 1_000
            switch order {
            case .take(let number, let known):
                let epoch = self.table.take(number, after: known, by: me)
                let isLost = self.dice.chance(self.lostAnswers)
                self.nodes[index].coming.append(
                    (answer, isLost ? .lostAnswer(number) : .answered(number, epoch)))
            case .begin(let title):
                let known = self.table.rows[Int(title.number.rawValue)].record.load
                self.nodes[index].loads[title.number] = ShardLoad(known: known, rules: self.rules)
            case .end(let title):
                // One in ten never ends by itself.
                let ends =
                    self.dice.chance(10) ? 1_000_000 : Int64.random(in: 0...6, using: &self.dice) * 1_000
                self.nodes[index].coming.append((self.now + ends, .ended(title)))
            case .cut(let title): self.nodes[index].loads[title.number] = nil
            case .release(let title):
                _ = self.table.release(title, by: me)
                self.nodes[index].coming.append((answer, .released(title)))
            }
        }
    }

    private func work(_ index: Int) {
        let me = self.nodes[index].member.incarnation
        for title in self.nodes[index].keeper.acting {
            guard self.table.proves(title, by: me) else {
                self.fenced += 1
                self.perform(self.nodes[index].keeper.lost(title), index)
                continue
            }
            let noise = Double.random(in: 0.8...1.2, using: &self.dice)
            self.nodes[index].loads[title.number]?.measured(
                self.truth[Int(title.number.rawValue)] * noise, over: .seconds(1))
            if self.now % 5_000 == 0, let load = self.nodes[index].loads[title.number]?.smoothed {
                self.table.report(load, of: title, by: me)
            }
        }
    }

    private func judge() {
        var workers: [ShardNumber: Int] = [:]
        for index in self.living where !self.nodes[index].isPaused {
            for title in self.nodes[index].keeper.acting { workers[title.number, default: 0] += 1 }
        }
        self.overlaps += workers.values.count { $0 > 1 }
    }

    // MARK: Figures

    private var judged: [ShardNeed.Node] {
        self.active.map {
            ShardNeed.Node(
                incarnation: self.nodes[$0].member.incarnation,
                capacity: Double(self.nodes[$0].member.capacity))
        }
    }

    /// By what is owned, of the true load.
    var ratio: Double {
        ShardNeed.ratio(self.truth, of: self.table.rows.map(\.record.owner), nodes: self.judged)
    }

    /// The fewest moves from what is wanted at this moment, of the true load.
    func need(band: Double) -> Int {
        ShardNeed.moves(self.truth, of: self.table.rows.map(\.record.wanted), nodes: self.judged, band: band)
    }

    /// Shards whose owner is who should have them, alive and at work.
    var served: Int {
        let working = Set(self.living.flatMap { self.nodes[$0].keeper.acting })
        return self.table.rows.count { row in
            guard let epoch = row.record.epoch, row.record.owner == row.record.wanted else { return false }
            return working.contains(ShardTitle(number: row.record.number, epoch: epoch))
        }
    }
}
