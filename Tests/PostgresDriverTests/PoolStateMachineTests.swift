import PostgresDriver
import Testing

private final class Waiter: Equatable {
    let name: String
    init(_ name: String) { self.name = name }
    static func == (one: Waiter, other: Waiter) -> Bool { one === other }
}

/// No test depends on how late it is.
private let now = ContinuousClock.now

struct PoolStateMachineTests {
    private func running(connections: Int = 2, depth: Int = 2, waitingLimit: Int = 2) -> PoolStateMachine<
        Waiter
    > {
        var machine = PoolStateMachine<Waiter>(
            connections: connections, depth: depth, waitingLimit: waitingLimit)
        for slot in machine.started() { _ = machine.dialled(slot) }
        return machine
    }

    @Test func `statements go to the least busy connection`() {
        var machine = self.running()
        #expect(machine.submitted(Waiter("a"), at: now) == .send(slot: 1))
        #expect(machine.submitted(Waiter("b"), at: now) == .send(slot: 0))
        #expect(machine.answered(1) == .none)
        #expect(machine.submitted(Waiter("c"), at: now) == .send(slot: 1))
        #expect(machine.slots == [.ready(inFlight: 1), .ready(inFlight: 1)])
    }

    @Test func `a full pool lets wait, then refuses`() {
        var machine = self.running(connections: 1, depth: 1, waitingLimit: 1)
        #expect(machine.submitted(Waiter("a"), at: now) == .send(slot: 0))
        #expect(machine.submitted(Waiter("b"), at: now) == .wait)
        #expect(machine.submitted(Waiter("c"), at: now) == .refuse(.queueFull))
        #expect(machine.waitingCount == 1)
    }

    @Test func `who came first is served first`() {
        var machine = self.running(connections: 1, depth: 1, waitingLimit: 5)
        let (first, second) = (Waiter("first"), Waiter("second"))
        #expect(machine.submitted(Waiter("a"), at: now) == .send(slot: 0))
        #expect(machine.submitted(first, at: now) == .wait)
        #expect(machine.submitted(second, at: now) == .wait)
        #expect(machine.answered(0) == .serve(1))
        #expect(machine.nextWaiter(for: 0)?.waiter == first)
        #expect(machine.nextWaiter(for: 0)?.waiter == nil)
        #expect(machine.slots == [.ready(inFlight: 1)])
    }

    @Test func `who gave up is not served`() {
        var machine = self.running(connections: 1, depth: 1, waitingLimit: 5)
        let (first, second) = (Waiter("first"), Waiter("second"))
        _ = machine.submitted(Waiter("a"), at: now)
        _ = machine.submitted(first, at: now)
        _ = machine.submitted(second, at: now)
        #expect(machine.withdrawn(first) == true)
        #expect(machine.withdrawn(first) == false)
        #expect(machine.answered(0) == .serve(1))
        #expect(machine.nextWaiter(for: 0)?.waiter == second)
    }

    @Test func `statements wait until there is a connection`() {
        var machine = PoolStateMachine<Waiter>(connections: 1, depth: 2, waitingLimit: 2)
        #expect(machine.submitted(Waiter("early"), at: now) == .wait)
        #expect(machine.started() == [0])
        #expect(machine.dialled(0) == .serve)
        #expect(machine.nextWaiter(for: 0)?.waiter.name == "early")
    }

    @Test func `a lost connection is dialled for at once, one that never answered later`() {
        var machine = self.running(connections: 1)
        _ = machine.submitted(Waiter("a"), at: now)
        _ = machine.answered(0)
        #expect(machine.lost(0, jitter: 1) == .dial)
        #expect(machine.dialled(0) == .serve)
        #expect(machine.lost(0, jitter: 1) == .dialLater(.milliseconds(100)))
        #expect(machine.slots == [.backingOff])
        #expect(machine.backOffEnded(0) == true)
        #expect(machine.dialFailed(0, jitter: 0) == .dialLater(.milliseconds(100)))
        #expect(machine.slots == [.backingOff])
    }

    @Test func `back-off grows to its cap and never beyond`() {
        let backOff = BackOff()
        let delays = (1...8).map { backOff.delay(failures: $0, jitter: 1) }
        #expect(
            delays.prefix(4) == [
                .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(400),
            ])
        #expect(delays.last == .seconds(1))
        #expect(backOff.delay(failures: 1_000_000, jitter: 0) == .milliseconds(500))
    }

    @Test func `a connection with an overdue statement gets nothing new until it answers`() {
        var machine = self.running(connections: 2)
        #expect(machine.submitted(Waiter("slow"), at: now) == .send(slot: 1))
        machine.overdue(1)
        #expect(machine.slots[1] == .suspect(inFlight: 1))
        #expect(machine.submitted(Waiter("b"), at: now) == .send(slot: 0))
        #expect(machine.submitted(Waiter("c"), at: now) == .send(slot: 0))
        #expect(machine.submitted(Waiter("d"), at: now) == .wait)
        #expect(machine.answered(1) == .serve(1))
        #expect(machine.slots[1] == .ready(inFlight: 0))
    }

    @Test func `a retired connection ends its work and is replaced`() {
        var machine = self.running(connections: 1)
        _ = machine.submitted(Waiter("a"), at: now)
        #expect(machine.retired(0) == .none)
        #expect(machine.submitted(Waiter("b"), at: now) == .wait)
        #expect(machine.answered(0) == .close)
        #expect(machine.lost(0, jitter: 0) == .dial)
        #expect(machine.slots == [.dialling])
    }

    @Test func `a server that can only be read is left at once, and the next one after a back-off`() {
        var machine = self.running(connections: 2)
        let pauses: [Duration] = (0..<4).map { round in
            let found = now.advanced(by: .seconds(round))
            _ = machine.submitted(Waiter("a"), at: found)
            let slot = machine.slots.firstIndex(of: .ready(inFlight: 1)) ?? 0
            // Two statements find it: it counts once.
            for _ in 0..<2 {
                machine.readOnlyFound(at: found)
                for slot in 0..<2 { _ = machine.retired(slot) }
            }
            #expect(machine.answered(slot) == .close)
            var pauses: [Duration] = []
            for slot in 0..<2 {
                switch machine.lost(slot, jitter: 1) {
                case .dial: pauses.append(.zero)
                case .dialLater(let pause):
                    pauses.append(pause)
                    #expect(machine.backOffEnded(slot) == true)
                case .none: Issue.record("nobody dials")
                }
                #expect(machine.dialled(slot) == .serve)
            }
            // The one that answered nothing in between has failed more often.
            return pauses[slot]
        }
        #expect(pauses == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400)])
        // Long afterwards it is news again.
        _ = machine.submitted(Waiter("b"), at: now)
        let slot = machine.slots.firstIndex(of: .ready(inFlight: 1)) ?? 0
        machine.readOnlyFound(at: now.advanced(by: .seconds(60)))
        _ = machine.retired(slot)
        #expect(machine.answered(slot) == .close)
        #expect(machine.lost(slot, jitter: 1) == .dial)
    }

    @Test func `only idle connections are probed`() {
        var machine = self.running(connections: 1)
        #expect(machine.probed(0) == true)
        #expect(machine.probed(0) == false)
    }

    @Test func `stopping serves those who wait and refuses new ones`() {
        var machine = self.running(connections: 1, depth: 1)
        _ = machine.submitted(Waiter("a"), at: now)
        _ = machine.submitted(Waiter("b"), at: now)
        machine.stopBegun()
        #expect(machine.submitted(Waiter("c"), at: now) == .refuse(.closed))
        #expect(!machine.isDrained)
        #expect(machine.answered(0) == .serve(1))
        #expect(machine.nextWaiter(for: 0)?.waiter.name == "b")
        #expect(machine.answered(0) == .none)
        #expect(machine.isDrained)
    }

    @Test func `a dead pool answers every waiter`() {
        var machine = PoolStateMachine<Waiter>(connections: 1, depth: 1, waitingLimit: 5)
        _ = machine.submitted(Waiter("a"), at: now)
        _ = machine.submitted(Waiter("b"), at: now)
        #expect(machine.stopped().map(\.name) == ["a", "b"])
        #expect(machine.waitingCount == 0)
        #expect(machine.phase == .stopped)
        #expect(machine.dialled(0) == .close)
    }

    @Test func `an old connection ends its work and is replaced, one at a time`() {
        var machine = self.running(connections: 2)
        #expect(machine.submitted(Waiter("a"), at: now) == .send(slot: 1))
        #expect(machine.aged(1) == .drain)
        #expect(machine.slots == [.ready(inFlight: 0), .retiring(inFlight: 1)])
        #expect(machine.aged(0) == .later)
        #expect(machine.slots[0] == .ready(inFlight: 0))
        #expect(machine.answered(1) == .close)
        #expect(machine.lost(1, jitter: 0) == .dial)
        #expect(machine.aged(0) == .later)
        #expect(machine.dialled(1) == .serve)
        #expect(machine.aged(0) == .close)
        #expect(machine.slots == [.retiring(inFlight: 0), .ready(inFlight: 0)])
    }

    @Test func `a place that nobody needs is free again`() {
        var machine = self.running(connections: 1, depth: 1)
        _ = machine.submitted(Waiter("a"), at: now)
        _ = machine.submitted(Waiter("late"), at: now)
        #expect(machine.answered(0) == .serve(1))
        #expect(machine.nextWaiter(for: 0)?.since == now)
        machine.placeReturned(0)
        #expect(machine.slots == [.ready(inFlight: 0)])
        #expect(machine.submitted(Waiter("b"), at: now) == .send(slot: 0))
    }
}
