import ClusterModel
import ClusterPorts
import ClusterRuntime
import ServiceLifecycle

/// Wants every subject, as the services of a node do: asks, waits until something was freed, and asks again.
struct Claimers: Service {
    let subjects: [LeaseSubject]
    let desk: BatchingLeaseDesk
    let board: StandingBoard
    let book: GrantBook

    func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.follow() }
                for subject in self.subjects { group.addTask { await self.claim(subject) } }
            }
        }
    }

    /// Tells who joined and who left, and lets the holders look.
    private func follow() async {
        let changes = self.board.changes()
        var known: Incarnation?
        self.note(&known)
        for await _ in changes {
            self.note(&known)
            self.book.look()
        }
    }

    private func note(_ known: inout Incarnation?) {
        let now: Incarnation?
        switch self.board.standing() {
        case .serving(let right, _), .draining(let right, _), .stale(let right), .isolated(let right),
            .sick(let right, _):
            now = right.incarnation
        case .outside: now = nil
        }
        guard now != known else { return }
        if let known { NodeEvents.left(known) }
        if let now { NodeEvents.joined(now) }
        known = now
    }

    private func claim(_ subject: LeaseSubject) async {
        // Listens before it asks, so that nothing that is freed in between is missed.
        var freed = self.desk.freed().makeAsyncIterator()
        while !Task.isCancelled {
            do throws(LeaseError) {
                let lease = try await self.desk.acquire(LeaseRequest(subject: subject))
                let signs = self.book.enter(lease.title, lease.right)
                NodeEvents.granted(lease.title)
                await self.hold(lease, until: signs)
            } catch {
                if case .denied(.taken) = error {
                    _ = await freed.next()
                } else {
                    // No answer about the lease: the node is outside, or the database does not answer.
                    await self.eventually { self.board.standing().right != nil }
                }
            }
        }
    }

    /// Looks ten times a second, and gives up after one.
    private func eventually(_ holds: () -> Bool) async {
        for _ in 0..<10 {
            do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
            if holds() { return }
        }
    }

    /// Until it is lost or ended, or the node stops.
    private func hold(_ lease: consuming Lease, until signs: AsyncStream<GrantBook.Sign>) async {
        for await sign in signs {
            switch sign {
            case .look:
                guard self.isLost(lease) else { continue }
                NodeEvents.lost(lease.title)
                lease.release()
                return
            case .ended(accepted: true):
                lease.wasEnded()
                return
            case .ended(accepted: false):
                NodeEvents.lost(lease.title)
                lease.release()
                return
            }
        }
        lease.release()
    }

    private func isLost(_ lease: borrowing Lease) -> Bool {
        switch self.board.standing() {
        case .outside: true
        // Nobody knows before the database answers.
        case .isolated(let right), .sick(let right, _): right.incarnation != lease.right.incarnation
        case .serving, .draining, .stale: !lease.isHeld
        }
    }
}
