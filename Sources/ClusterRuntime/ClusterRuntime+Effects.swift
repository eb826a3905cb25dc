import ClusterModel
import ClusterPorts
import Coordinator
import Logging

extension ClusterRuntime {
    /// Performs an input's effects, and those of what came of them.
    ///
    /// True: this incarnation has ended.
    func perform(
        _ input: Coordinator.Input, at: ClusterInstant, _ coordinator: inout Coordinator, thread: LineThread
    ) async -> Bool {
        var waiting: [(Coordinator.Input, ClusterInstant)] = [(input, at)]
        while !waiting.isEmpty {
            let (input, at) = waiting.removeFirst()
            let effects = coordinator.step(input, at: at)
            for accusation in effects.accusations {
                let killed = await self.accuse(accusation)
                waiting.append((.accusationAnswered(accusation, killed: killed), SteadyClock.now()))
            }
            if let claim = effects.takesLead {
                let taken = await self.takeLead(claim)
                waiting.append((.leadAnswered(claim, taken: taken), SteadyClock.now()))
            }
            if let wish = effects.drain {
                let done = await self.wish(wish, coordinator.membership.right)
                waiting.append((.drainAnswered(wish, done: done), SteadyClock.now()))
            }
            if effects.readsView, let view = await self.readView() {
                waiting.append((.viewRead(view), SteadyClock.now()))
            }
            if let view = effects.publishes { self.board.publish(view) }
            if let share = effects.capacityShare {
                thread.offer(percent: share)
                self.board.offers(percent: share)
                self.logger.warning(
                    "the capacity that is offered changed",
                    metadata: [
                        "capacity.percent": "\(share)",
                        "node.trouble": "\(coordinator.health.reasons.joined(separator: "; "))",
                    ])
            }
            if effects.sweeps { self.board.wantsSweep() }
            if effects.ends { return true }
            if case .beatAnswered = input { thread.wake(at: effects.wakeAt) }
            if case .woke = input { thread.wake(at: effects.wakeAt) }
        }
        return false
    }

    private func accuse(_ accusation: Accusation) async -> Bool {
        do {
            let killed = try await self.store.accuse(accusation)
            if killed {
                self.logger.warning(
                    "declared a member dead",
                    metadata: [
                        "member.slot": "\(accusation.target)",
                        "member.incarnation": "\(accusation.targetIncarnation)",
                        "member.heartbeats": "\(accusation.heartbeats)",
                        "watched.ms": "\(accusation.watched.wholeMilliseconds)",
                    ])
            }
            return killed
        } catch {
            // Not killed, or nobody knows: the next heartbeat's answer tells whether the member is still listed.
            self.logger.debug("accusation failed", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func takeLead(_ claim: LeadClaim) async -> Leadership? {
        do {
            let taken = try await self.store.takeLead(claim)
            if let taken { self.logger.info("leads", metadata: ["leader.term": "\(taken.term)"]) }
            return taken
        } catch {
            self.logger.debug("the lead was not taken", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Nil when nobody knows.
    private func wish(_ wish: DrainWish, _ right: NodeRight) async -> Bool? {
        guard let drain = self.drain else { return false }
        do {
            switch wish {
            case .begin(let reason):
                let done = try await drain.begin(right, reason: reason)
                if done {
                    self.logger.warning("drains itself", metadata: ["node.trouble": "\(reason)"])
                }
                return done
            case .end:
                let done = try await drain.end(right)
                if done { self.logger.notice("is well again and takes work") }
                return done
            }
        } catch {
            self.logger.debug("the own drain is unknown", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func readView() async -> ClusterView? {
        do {
            return try await self.store.view()
        } catch {
            self.logger.debug("view not read", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
