import EmbeddedPostgres
import Flotilla
import Testing

struct LocalClusterPlanTests {
    /// Starts what the plan asks for, as the runner would, until it asks for nothing more.
    private func settle(_ plan: inout LocalClusterPlan, at now: Duration) {
        var orders = plan.step([], at: now)
        var pid: Int32 = 100
        while !orders.isEmpty {
            let events = orders.flatMap { order -> [LocalClusterPlan.Event] in
                guard case .start(let child) = order else { return [] }
                pid += 1
                return [.started(child, pid: pid), .answered(child, true)]
            }
            orders = plan.step(events, at: now)
        }
    }

    @Test func `helpers start before the workers, and not all workers at once`() {
        var plan = LocalClusterPlan(workers: 5, others: [.redis, .balancer])
        #expect(
            plan.step([], at: .zero) == [
                .start(.redis), .start(.balancer), .start(.worker(1)), .start(.worker(2)),
            ])
        #expect(plan.step([], at: .seconds(1)) == [])
        #expect(plan.step([.answered(.worker(1), true)], at: .seconds(1)) == [.start(.worker(3))])
        #expect(plan.children[.worker(1)]?.phase == .ready)
    }

    @Test func `one that takes long to start does not hold up the others for ever`() {
        var plan = LocalClusterPlan(workers: 6, others: [])
        #expect(plan.step([], at: .zero).count == 4)
        #expect(plan.step([], at: .seconds(9)) == [])
        #expect(plan.step([], at: .seconds(10)) == [.start(.worker(5)), .start(.worker(6))])
    }

    @Test func `a killed worker stays visible and is started again after a wait that grows`() {
        var plan = LocalClusterPlan(workers: 1, others: [])
        self.settle(&plan, at: .zero)
        #expect(plan.step([.ended(.worker(1), .killed(signal: 9))], at: .seconds(5)) == [])
        #expect(plan.children[.worker(1)]?.phase == .ended(.killed(signal: 9), startAt: .seconds(6)))
        #expect(plan.children[.worker(1)]?.phase.label == "killed (signal 9)")
        #expect(plan.step([], at: .milliseconds(5900)) == [])
        #expect(plan.step([], at: .seconds(6)) == [.start(.worker(1))])
        #expect(plan.step([.ended(.worker(1), .exited(1))], at: .seconds(7)) == [])
        #expect(plan.step([], at: .milliseconds(8900)) == [])
        #expect(plan.step([], at: .seconds(9)) == [.start(.worker(1))])
        #expect(plan.children[.worker(1)]?.restarts == 2)
    }

    @Test(arguments: [Int32(64), 75, 78])
    func `a worker that refuses is not started again`(code: Int32) {
        var plan = LocalClusterPlan(workers: 1, others: [])
        #expect(plan.step([], at: .zero) == [.start(.worker(1))])
        #expect(plan.step([.ended(.worker(1), .exited(code))], at: .seconds(1)) == [])
        #expect(plan.children[.worker(1)]?.phase == .refused(code: code))
        #expect(plan.step([], at: .seconds(1000)) == [])
        // No longer wanted, and wanted again: that is a new try.
        #expect(plan.step([.wanted(workers: 0)], at: .seconds(1001)) == [])
        #expect(plan.step([.wanted(workers: 1)], at: .seconds(1002)) == [.start(.worker(1))])
    }

    @Test func `a restarted worker may be refused twice while its name is still taken`() {
        var plan = LocalClusterPlan(workers: 1, others: [])
        self.settle(&plan, at: .zero)
        _ = plan.step([.ended(.worker(1), .killed(signal: 9))], at: .seconds(1))
        var now = Duration.seconds(100)
        for _ in 1...2 {
            #expect(plan.step([], at: now) == [.start(.worker(1))])
            _ = plan.step([.ended(.worker(1), .exited(69))], at: now + .seconds(1))
            now += .seconds(100)
        }
        #expect(plan.step([], at: now) == [.start(.worker(1))])
        _ = plan.step([.ended(.worker(1), .exited(69))], at: now)
        #expect(plan.children[.worker(1)]?.phase == .refused(code: 69))
    }

    @Test func `scaling down stops the highest numbers, and kills those that stay`() {
        var plan = LocalClusterPlan(workers: 3, others: [.redis])
        self.settle(&plan, at: .zero)
        #expect(plan.step([.wanted(workers: 1)], at: .seconds(1)) == [.stop(.worker(2)), .stop(.worker(3))])
        #expect(plan.step([.ended(.worker(3), .exited(0))], at: .seconds(2)) == [])
        #expect(plan.children[.worker(3)] == nil)
        #expect(plan.step([], at: .milliseconds(15_999)) == [])
        #expect(plan.step([], at: .seconds(16)) == [.kill(.worker(2))])
        #expect(plan.step([], at: .seconds(17)) == [])
        #expect(plan.step([.ended(.worker(2), .killed(signal: 9))], at: .seconds(18)) == [])
        #expect(plan.children.keys.contains(.worker(2)) == false)
        #expect(plan.children[.worker(1)]?.phase == .ready)
    }

    @Test func `scaling up while one still leaves starts it again when it is gone`() {
        var plan = LocalClusterPlan(workers: 1, others: [])
        self.settle(&plan, at: .zero)
        #expect(plan.step([.wanted(workers: 0)], at: .seconds(1)) == [.stop(.worker(1))])
        #expect(plan.step([.wanted(workers: 1)], at: .seconds(2)) == [])
        #expect(plan.step([.ended(.worker(1), .exited(0))], at: .seconds(3)) == [.start(.worker(1))])
    }

    @Test func `an answer changes ready to silent and back, and nothing else`() {
        var plan = LocalClusterPlan(workers: 1, others: [])
        self.settle(&plan, at: .zero)
        _ = plan.step([.answered(.worker(1), false)], at: .seconds(1))
        #expect(plan.children[.worker(1)]?.phase == .silent)
        _ = plan.step([.answered(.worker(1), true)], at: .seconds(2))
        #expect(plan.children[.worker(1)]?.phase == .ready)
        _ = plan.step([.ended(.worker(1), .exited(1)), .answered(.worker(1), true)], at: .seconds(3))
        #expect(plan.children[.worker(1)]?.phase == .ended(.exited(1), startAt: .seconds(4)))
    }

    @Test func `a program that cannot be executed is tried again like one that died`() {
        var plan = LocalClusterPlan(workers: 1, others: [])
        _ = plan.step([], at: .zero)
        _ = plan.step([.notStarted(.worker(1))], at: .zero)
        #expect(plan.children[.worker(1)]?.phase == .ended(.exited(127), startAt: .seconds(1)))
    }
}
