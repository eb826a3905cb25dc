import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Foundation
import Testing

@Suite(.serialized) struct JobRunnerTests {
    private let queue = QueueInMemory()

    private func node(
        _ number: Int64 = 10, _ handler: ScriptedHandler = ScriptedHandler(),
        settings: JobRunner.Settings = JobRunner.Settings()
    ) -> JobNode {
        let right = JobWords.right(number)
        self.queue.live(right)
        return JobNode(
            right, store: self.queue, losses: LossesInMemory(queue: self.queue), handlers: [handler],
            settings: settings)
    }

    @discardableResult
    private func enqueue(_ count: Int = 1, _ change: (inout JobSpec) -> Void = { _ in }) async throws
        -> [JobID]
    {
        let specs = (0..<count).map { _ in JobWords.spec(change) }
        return try await self.queue.enqueue(specs).compactMap {
            if case .enqueued(let id) = $0 { id } else { nil }
        }
    }

    @Test func `every job is done once and endings go together`() async throws {
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, desk in
                meter.began(job)
                defer { meter.ended() }
                await Task.yield()
                return desk.isHeld(job.title) ? .done(note: nil) : .failed(reason: "not held")
            })
        try await self.enqueue(2_000)
        try await JobNode.running(node.services) {
            try await eventually("all are done") { self.queue.isOver }
        }
        #expect(self.queue.completions.allSatisfy { $0 == 1 })
        #expect(meter.all == 2_000)
        #expect(meter.most <= 64)
        #expect(node.runner.counts.done == 2_000)
        #expect(self.queue.statements("finish") < 1_000)
        #expect(self.queue.statements("claim") < 400)
    }

    @Test func `jobs of kinds without a handler are left to others`() async throws {
        let node = self.node()
        try await self.enqueue(3) { $0.kind = JobWords.kind("other") }
        let ours = try await self.enqueue(1)
        try await JobNode.running(node.services) {
            try await eventually { self.queue.place(ours[0]) == .done }
        }
        #expect(self.queue.places.count { $0 == .ready } == 3)
    }

    @Test func `what a lost answer granted is given back and done`() async throws {
        self.queue.change { $0.losesClaims = 2 }
        let node = self.node()
        try await self.enqueue(100)
        try await JobNode.running(node.services) {
            try await eventually("all are done") { self.queue.isOver }
        }
        #expect(self.queue.completions.allSatisfy { $0 == 1 })
        #expect(self.queue.attempts.allSatisfy { $0 == 1 })
        #expect(node.runner.counts.givenBack > 0)
    }

    @Test func `lost answers of endings and refused ones are resolved`() async throws {
        let node = self.node(
            10, ScriptedHandler { job, _ in .done(note: job.title.job.rawValue == 5 ? "bad" : nil) })
        try await self.enqueue(300)
        self.queue.change {
            $0.losesFinishes = 3
            $0.failures = 2
            $0.refusedNote = "bad"
        }
        try await JobNode.running(node.services) {
            try await eventually("all others are done", within: .seconds(20)) {
                self.queue.completions.count { $0 == 1 } == 299
            }
            // The spoilt one ends as an attempt that failed, ten seconds later.
            try await eventually("nothing is held any more", within: .seconds(20)) {
                !self.queue.places.contains {
                    if case .claimed = $0 { true } else { false }
                }
            }
        }
        #expect(self.queue.completions.max() == 1)
    }

    @Test func `a job that is cancelled cancels its handler and its ending is dropped`() async throws {
        let meter = Meter()
        var settings = JobRunner.Settings()
        settings.stopGrace = .milliseconds(50)
        let node = self.node(
            10,
            ScriptedHandler { job, desk in
                meter.began(job)
                await JobWords.untilCancelled()
                meter.ended()
                return desk.isHeld(job.title) ? .failed(reason: "still held") : .done(note: "too late")
            }, settings: settings)
        let ids = try await self.enqueue(3)
        try await JobNode.running(node.services) {
            try await eventually { meter.now == 3 }
            let losses = self.queue.cancel(ids[1])
            node.standing.set(leaseLosses: losses)
            try await eventually { meter.now == 2 }
            try await eventually { node.runner.running == 2 }
            #expect(self.queue.place(ids[1]) == .cancelled)
            #expect(self.queue.statements("finish") == 0)
            #expect(node.runner.counts.lost == 1)
        }
        // Those that the stopping node cancelled say that they are done, and they held their claims.
        #expect(self.queue.places.count { $0 == .done } == 2)
    }

    @Test func `a draining node claims nothing and long jobs go back at their checkpoint`() async throws {
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, desk in
                meter.began(job)
                defer { meter.ended() }
                while !desk.isDraining && !Task.isCancelled {
                    _ = await desk.note(JobProgress(fraction: 0.5, checkpoint: "{\"at\":1}"), of: job.title)
                    await Task.yield()
                }
                return .givenBack(reason: "at a checkpoint")
            })
        try await self.enqueue(2)
        try await JobNode.running(node.services) {
            try await eventually { meter.now == 2 && self.queue.statements("note") > 2 }
            node.standing.set(.draining(node.right, ConfigVersion(0)))
            try await eventually { self.queue.places.allSatisfy { $0 == .ready } }
            let claims = self.queue.statements("claim")
            node.runner.poke()
            try await eventually { node.runner.running == 0 }
            #expect(self.queue.statements("claim") == claims)
            #expect(self.queue.attempts == [0, 0])
            node.standing.set(.serving(node.right, ConfigVersion(0)))
            try await eventually("it goes on") { meter.now == 2 }
        }
        #expect(self.queue.places.allSatisfy { $0 == .ready })
    }

    @Test func `isolation cancels and what was not done is run again when it is over`() async throws {
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                defer { meter.ended() }
                if meter.all == 1 {
                    await JobWords.untilCancelled()
                    return .failed(reason: "cancelled")
                }
                return .done(note: nil)
            })
        try await self.enqueue(1)
        try await JobNode.running(node.services) {
            try await eventually { meter.now == 1 }
            node.standing.set(.isolated(node.right))
            try await eventually { meter.now == 0 }
            #expect(self.queue.statements("finish") == 0)
            node.standing.set(.serving(node.right, ConfigVersion(0)))
            try await eventually { self.queue.isOver }
        }
        #expect(self.queue.completions == [1])
        #expect(self.queue.attempts == [1])
    }

    @Test func `an evicted node is fenced and its next incarnation goes on`() async throws {
        let meter = Meter()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                if meter.all == 1 { for await _ in gate {} }
                return .done(note: nil)
            })
        try await self.enqueue(1)
        try await JobNode.running(node.services) {
            try await eventually { meter.all == 1 }
            self.queue.evict(node.right)
            open.finish()
            try await eventually { node.runner.counts.fenced == 1 }
            #expect(self.queue.completions == [0])
            let next = JobWords.right(11)
            self.queue.live(next)
            node.standing.set(.serving(next, ConfigVersion(0)))
            node.standing.set(sweepDue: true)
            try await eventually { self.queue.isOver }
        }
        #expect(self.queue.completions == [1])
        #expect(self.queue.attempts == [2])
    }

    @Test func `a node that stops gives back what is not done`() async throws {
        let meter = Meter()
        var settings = JobRunner.Settings()
        settings.stopGrace = .milliseconds(50)
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                await JobWords.untilCancelled()
                return .failed(reason: "cancelled")
            }, settings: settings)
        try await self.enqueue(20)
        try await JobNode.running(node.services) { try await eventually { meter.now == 20 } }
        #expect(self.queue.places.allSatisfy { $0 == .ready })
        #expect(self.queue.attempts.allSatisfy { $0 == 0 })
        #expect(node.runner.running == 0)
    }

    @Test func `a handler that heeds nothing loses its claim when the node stops`() async throws {
        let meter = Meter()
        let (gate, open) = AsyncStream.makeStream(of: Void.self)
        var settings = JobRunner.Settings()
        settings.stopGrace = .milliseconds(20)
        settings.stopLimit = .milliseconds(100)
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                while !self.isOpen(gate: job) { await Task.yield() }
                return .done(note: "too late")
            }, settings: settings)
        _ = gate
        let ids = try await self.enqueue(1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await JobNode.running(node.services) { try await eventually { meter.now == 1 } }
            }
            try await eventually("it is given back") { meter.now == 1 && self.queue.place(ids[0]) == .ready }
            open.finish()
            self.queue.cancel(ids[0])
            try await group.waitForAll()
        }
        #expect(self.queue.completions == [0])
    }

    /// The test's sign to a stubborn handler: its job was cancelled in the queue, of which nobody told the node.
    private func isOpen(gate job: ClaimedJob) -> Bool { self.queue.place(job.title.job) == .cancelled }

    @Test func `a handler that hangs is cancelled at its deadline and the attempt counts`() async throws {
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                await JobWords.untilCancelled()
                return .givenBack(reason: "cancelled")
            })
        let ids = try await self.enqueue(1) { $0.deadline = .milliseconds(100) }
        try await JobNode.running([node.runner]) {
            try await eventually {
                if case .later? = self.queue.place(ids[0]) { true } else { false }
            }
        }
        #expect(self.queue.attempts == [1])
    }

    @Test func `a handler that sees its deadline before the alarm does has used an attempt`() async throws {
        let node = self.node(
            10,
            ScriptedHandler { job, desk in
                while desk.isHeld(job.title) { await Task.yield() }
                return .givenBack(reason: "its time is over")
            })
        let ids = try await self.enqueue(20) { $0.deadline = .milliseconds(100) }
        try await JobNode.running([node.runner]) {
            try await eventually {
                ids.allSatisfy { if case .later? = self.queue.place($0) { true } else { false } }
            }
        }
        #expect(self.queue.attempts == Array(repeating: 1, count: 20))
    }

    @Test func `jobs of one key run in order and do not wait for the next look`() async throws {
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                defer { meter.ended() }
                await Task.yield()
                return .done(note: nil)
            })
        try await self.enqueue(50) { $0.orderKey = "a" }
        try await JobNode.running(node.services) {
            try await eventually(within: .seconds(5)) { self.queue.isOver }
        }
        #expect(meter.order == Array(1...50))
        #expect(meter.most == 1)
    }

    @Test func `a retry comes again when it is due`() async throws {
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                job.attempt < 3 ? .retry(after: .milliseconds(30), reason: "not yet") : .done(note: nil)
            })
        try await self.enqueue(5)
        try await self.enqueue(1) { $0.maxAttempts = 2 }
        try await JobNode.running(node.services) {
            try await eventually(within: .seconds(8)) { self.queue.isOver }
        }
        #expect(self.queue.places.count { $0 == .done } == 5)
        #expect(self.queue.places.count { $0 == .failed } == 1)
    }

    @Test func `two nodes do all of it once though one dies in the middle`() async throws {
        let (one, two) = (self.node(10), self.node(11))
        try await self.enqueue(5_000)
        try await JobNode.running(one.services + two.services) {
            try await eventually { self.queue.completions.count { $0 == 1 } > 500 }
            self.queue.evict(one.right)
            two.standing.set(sweepDue: true)
            try await eventually("the survivor does the rest", within: .seconds(20)) {
                two.standing.set(sweepDue: true)
                return self.queue.isOver
            }
        }
        #expect(self.queue.completions.allSatisfy { $0 == 1 })
    }

    @Test func `the leader takes overdue claims away and their holder hears of it`() async throws {
        let meter = Meter()
        let holder = JobWords.right(20)
        self.queue.live(holder)
        let ids = try await self.enqueue(1) { $0.deadline = .milliseconds(100) }
        let survey = try await self.queue.survey(after: nil, lanes: 1, depth: 1)
        let share = LaneShare(lane: survey[0].lane, kind: JobWords.kind, account: nil, from: nil, most: 1)
        _ = try await self.queue.claim([share], by: holder)
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                return .done(note: nil)
            })
        node.standing.set(view: Self.view(ledBy: node.right))
        try await JobNode.running(node.services) {
            try await eventually { self.queue.place(ids[0]) == .done }
        }
        #expect(self.queue.attempts == [2])
        let losses = try await LossesInMemory(queue: self.queue).losses(of: holder.incarnation, after: 0)
        #expect(losses.map(\.title.subject.id) == ["\(ids[0])"])
    }

    @Test func `a limit on one node holds`() async throws {
        self.queue.change { $0.perNode = 3 }
        let meter = Meter()
        let node = self.node(
            10,
            ScriptedHandler { job, _ in
                meter.began(job)
                defer { meter.ended() }
                for _ in 0..<20 { await Task.yield() }
                return .done(note: nil)
            })
        try await self.enqueue(60)
        try await JobNode.running(node.services) {
            try await eventually(within: .seconds(20)) { self.queue.isOver }
        }
        #expect(meter.most <= 3)
    }

    private static func view(ledBy right: NodeRight) -> ClusterView {
        let member = Member(
            slot: right.slot, name: right.name, incarnation: right.incarnation, status: .active,
            heartbeats: 1,
            lastHeartbeat: .now, joinedAt: .now, unbrokenSince: .now,
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1", attributes: [:],
            capacity: 64, load: .idle)
        return ClusterView(
            cluster: ClusterID(UUID()), version: 1, memberLimit: 20, schemaVersion: 4,
            configVersion: ConfigVersion(1), members: [member], readAt: .now,
            leader: Leadership(slot: right.slot, incarnation: right.incarnation, term: 1))
    }
}
