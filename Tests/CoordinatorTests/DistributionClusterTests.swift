import ClusterModel
import Coordinator
import Testing

/// Many nodes around one queue in virtual time, with lost answers and failures; then calm.
@Suite struct DistributionClusterTests {
    private struct Held {
        var job: ClaimedJob
        var node: Int
        var endsAt: Int64
        /// Its node knows of it.
        var isKnown: Bool
    }

    private struct World {
        var lots: Lots
        var nodes: [Claiming] = []
        /// Numbers of ready jobs by lane, first come first.
        var ready: [Int64: [Int64]] = [:]
        var claimed: [Int64: Held] = [:]
        var done: [Int64: Int] = [:]
        var waitedMost: Int64 = 0
        var epoch: Int64 = 0
        var statements = 0
        var hasFaults = true

        init(seed: UInt64, nodes: Int16, capacity: Int) {
            self.lots = Lots(seed: seed)
            for slot in 1...nodes {
                var settings = Claiming.Settings(kinds: [Cases.webhook])
                settings.capacity = capacity
                var claiming = Claiming(slot: Slot(slot), settings: settings)
                claiming.viewChanged(Cases.view(nodes: nodes))
                claiming.roleChanged(.claims)
                self.nodes.append(claiming)
            }
        }

        private mutating func isHit() -> Bool {
            self.hasFaults && Int.random(in: 0..<12, using: &self.lots) == 0
        }

        mutating func tick(_ node: Int, at time: Int64) {
            self.end(node, at: time)
            for _ in 0..<3 {
                guard let order = self.nodes[node].next(at: Cases.at(time)).order else { return }
                self.statements += 1
                self.perform(order, node, at: time)
            }
        }

        private mutating func end(_ node: Int, at time: Int64) {
            for (number, held) in self.claimed where held.node == node && held.isKnown && held.endsAt <= time
            {
                _ = self.nodes[node].held.returned(held.job.title, .done(note: nil))
                self.nodes[node].settled(held.job.title)
                self.claimed[number] = nil
                self.done[number, default: 0] += 1
            }
        }

        private mutating func perform(_ order: Claiming.Order, _ node: Int, at time: Int64) {
            let now = Cases.at(time)
            switch order {
            case .survey(let after, let lanes, let depth):
                if self.isHit() { return self.nodes[node].failed(.notRun, at: now) }
                let found = self.ready.filter { $0.key > after?.rawValue ?? 0 && !$0.value.isEmpty }.sorted {
                    $0.key < $1.key
                }
                self.nodes[node].surveyed(
                    found.prefix(lanes).map { Cases.lane($0.key, ready: min(depth, $0.value.count)) }, at: now
                )
            case .claim(let shares):
                if self.isHit() { return self.nodes[node].failed(.notRun, at: now) }
                let isLost = self.isHit()
                let jobs = shares.flatMap { self.take($0, node, at: time, isKnown: !isLost) }
                if isLost {
                    self.nodes[node].failed(.mayHaveRun, at: now)
                } else {
                    self.nodes[node].claimed(jobs)
                }
            case .readClaims:
                if self.isHit() { return self.nodes[node].failed(.notRun, at: now) }
                let mine = self.claimed.values.filter { $0.node == node }.map(\.job)
                for job in self.nodes[node].claimsRead(mine, at: now) {
                    // Given back at once.
                    self.nodes[node].settled(job.title)
                    self.claimed[job.title.job.rawValue] = nil
                    self.ready[job.lane.rawValue, default: []].insert(job.title.job.rawValue, at: 0)
                }
            }
        }

        private mutating func take(_ share: LaneShare, _ node: Int, at time: Int64, isKnown: Bool)
            -> [ClaimedJob]
        {
            self.epoch += 1
            let numbers = Array(self.ready[share.lane.rawValue, default: []].prefix(share.most))
            self.ready[share.lane.rawValue, default: []].removeFirst(numbers.count)
            return numbers.map { number in
                let job = Cases.job(number, epoch: self.epoch, lane: share.lane.rawValue)
                let endsAt = time + Int64.random(in: 0...200, using: &self.lots)
                self.claimed[number] = Held(job: job, node: node, endsAt: endsAt, isKnown: isKnown)
                return job
            }
        }
    }

    @Test(arguments: 1...20)
    func `all is done once and no node takes more than it has room for`(_ seed: Int) {
        var lots = Lots(seed: UInt64(seed))
        let count = Int16.random(in: 1...20, using: &lots)
        let capacity = Int.random(in: 1...40, using: &lots)
        var world = World(seed: UInt64(seed), nodes: count, capacity: capacity)
        let jobs: Int64 = 3_000
        for number in 1...jobs {
            let lane = Int64.random(in: 1...10, using: &lots)
            world.ready[lane, default: []].append(number)
        }
        var time: Int64 = 0
        while time < 600_000, world.done.count < Int(jobs) {
            time += 5
            if time == 5_000 { world.hasFaults = false }
            for node in 0..<Int(count) {
                world.tick(node, at: time)
                if world.nodes[node].held.running > capacity { Issue.record("node \(node) at \(time)") }
            }
        }
        #expect(world.done.count == Int(jobs), "\(world.ready.values.map(\.count)) \(world.claimed.count)")
        #expect(world.done.values.allSatisfy { $0 == 1 })
        // Calm: nobody asks more often than an idle node may, after the last doubt is gone.
        time += 60_000
        for node in 0..<Int(count) { for _ in 0..<20 { world.tick(node, at: time) } }
        world.statements = 0
        for second in stride(from: time, to: time + 20_000, by: 5) {
            for node in 0..<Int(count) { world.tick(node, at: second) }
        }
        #expect(world.statements <= 11 * Int(count))
    }

    @Test func `forty long jobs are spread over twenty nodes`() {
        var world = World(seed: 1, nodes: 20, capacity: 64)
        world.hasFaults = false
        world.ready[1] = Array(1...40)
        for node in 0..<20 { world.tick(node, at: 5) }
        let loads = world.nodes.map(\.held.running)
        #expect(loads.max() ?? 0 <= 2)
        #expect(loads.reduce(0, +) >= 20)
    }
}
