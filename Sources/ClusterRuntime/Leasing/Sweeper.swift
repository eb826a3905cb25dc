import ClusterModel
package import ClusterPorts
import Coordinator
package import Logging
import ServiceLifecycle

/// Takes leases away from the dead, at once, and, while this node leads, from those who are overdue.
///
/// Level-triggered: whatever woke it, it looks at what is there. It works when this node has declared somebody dead,
/// when a heartbeat's answer says that somebody departed, and in any case every 10 s on the leader and every minute on
/// the others. What fails is tried again by the next round. Deadlines are looked at every 250 ms while some are
/// watched, every 2 s otherwise.
package final class Sweeper: Service {
    private let store: any LeaseStore
    private let board: StandingBoard
    private let desk: BatchingLeaseDesk
    private let logger: Logger

    private static let batch = 1_000
    private static let roundEvery: Duration = .seconds(10)
    /// One page of leases with a deadline is looked at so often.
    private static let lookEvery: Duration = .milliseconds(250)
    /// While none is watched.
    private static let lookIdleEvery: Duration = .seconds(2)

    package init(
        store: any LeaseStore, board: StandingBoard, desk: BatchingLeaseDesk, logger: Logger
    ) {
        self.store = store
        self.board = board
        self.desk = desk
        self.logger = logger
    }

    package func run() async throws {
        let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in self.board.changes() where self.board.sweepDue() { signal.yield() }
                }
                group.addTask {
                    // The leader for all of them; the others seldom, in case that it cannot.
                    var round = 0
                    while !Task.isCancelled {
                        if round % 6 == 0 || self.board.leading() != nil { signal.yield() }
                        round += 1
                        do { try await Task.sleep(for: Self.roundEvery) } catch { return }
                    }
                }
                group.addTask {
                    for await _ in signals { await self.sweepDead() }
                }
                group.addTask { await self.watchDeadlines() }
            }
        }
    }

    /// In batches, until nothing is left that nobody else has in hand.
    func sweepDead() async {
        while !Task.isCancelled, let right = self.board.standing().right {
            let swept: [LeaseRecord]
            do {
                swept = try await self.store.sweepDead(limit: Self.batch, by: right)
            } catch {
                self.logger.debug("leases of the dead were not swept", metadata: ["error": "\(error)"])
                return
            }
            guard !swept.isEmpty else { return }
            self.logger.notice(
                "swept leases of the dead",
                metadata: [
                    "leases": "\(swept.count)",
                    "incarnations": "\(Set(swept.map(\.incarnation)).sorted())",
                ])
            self.desk.freedBell.ring()
            if swept.count < Self.batch { return }
        }
    }

    private func watchDeadlines() async {
        var watch = OverdueWatch()
        while !Task.isCancelled {
            if let leader = self.board.leading() {
                await self.look(&watch, by: leader.right)
            } else if watch.count > 0 {
                watch = OverdueWatch()
            }
            let pause = watch.count > 0 ? Self.lookEvery : Self.lookIdleEvery
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    private func look(_ watch: inout OverdueWatch, by right: NodeRight) async {
        do {
            let page = try await self.store.deadlines(after: watch.after, limit: OverdueWatch.pageLimit)
            let overdue = watch.looked(at: page, now: SteadyClock.now())
            guard !overdue.isEmpty else { return }
            let ended = try await self.store.sweepOverdue(overdue, by: right)
            for title in ended {
                self.logger.warning(
                    "a lease was overdue and was taken away",
                    metadata: ["lease.subject": "\(title.subject)", "lease.epoch": "\(title.epoch)"])
            }
            if !ended.isEmpty { self.desk.freedBell.ring() }
        } catch {
            self.logger.debug("deadlines were not looked at", metadata: ["error": "\(error)"])
        }
    }
}
