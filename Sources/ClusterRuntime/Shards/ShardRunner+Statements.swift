import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import Synchronization

/// What the node asks the database about shards, one statement at a time.
extension ShardRunner {
    private enum Statement {
        case take([ShardTaking], NodeRight)
        case release([ShardTitle], NodeRight)
        case read(knowing: [ShardNumber], NodeRight)
        case report([ShardLoadReport], NodeRight)
    }

    /// Until there is nothing to ask.
    func takeTurn() async {
        while !Task.isCancelled, let statement = self.nextStatement() {
            switch statement {
            case .take(let shards, let right): await self.take(shards, by: right)
            case .release(let titles, let right): await self.release(titles, by: right)
            case .read(let numbers, let right): await self.read(numbers, by: right)
            case .report(let loads, let right): await self.report(loads, by: right)
            }
        }
    }

    /// Releases before takings: somebody waits for them.
    private func nextStatement() -> Statement? {
        let now = SteadyClock.now()
        return self.state.withLock { state in
            guard let right = state.right, !state.isIsolated, let keeper = state.keeper else { return nil }
            if !state.releases.isEmpty {
                defer { state.releases = [] }
                return .release(state.releases, right)
            }
            if !state.takes.isEmpty {
                defer { state.takes = [] }
                state.counts.takings += 1
                return .take(state.takes, right)
            }
            // Without a view nobody knows who lives.
            if state.viewVersion != nil, state.readings.isDue(at: now) {
                state.readings.began(at: now)
                state.counts.reads += 1
                return .read(knowing: keeper.knows, right)
            }
            guard now >= state.reportAt else { return nil }
            state.reportAt = now.advanced(by: self.settings.rules.report)
            state.loads.measure(at: now)
            let due = state.loads.due
            guard !due.isEmpty else { return nil }
            state.counts.reports += 1
            return .report(due.map { ShardLoadReport(title: $0.title, load: $0.load) }, right)
        }
    }

    private func take(_ shards: [ShardTaking], by right: NodeRight) async {
        do {
            let titles = try await self.store.take(shards, by: right)
            let epochs = Dictionary(titles.map { ($0.number, $0.epoch) }) { first, _ in first }
            self.settle(right) { state, now in
                state.counts.taken += titles.count
                if titles.count < shards.count { state.readings.doubted(at: now) }
                return shards.flatMap { state.keeper?.took($0.number, epochs[$0.number]) ?? [] }
            }
            self.logger.debug(
                "took shards", metadata: ["asked": "\(shards.count)", "taken": "\(titles.count)"])
        } catch {
            self.logger.debug("shards were not taken", metadata: ["error": "\(error)"])
            self.settle(right) { state, now in
                for shard in shards { state.keeper?.takingUnknown(shard.number) }
                state.readings.doubted(at: now)
                return []
            }
        }
    }

    private func release(_ titles: [ShardTitle], by right: NodeRight) async {
        do {
            let released = try await self.store.release(titles, by: right)
            self.settle(right) { state, _ in
                state.counts.released += released.count
                for title in titles { state.keeper?.released(title) }
                return []
            }
            self.logger.debug("released shards", metadata: ["shards": "\(released.count)"])
        } catch {
            self.logger.debug("shards were not released", metadata: ["error": "\(error)"])
            self.settle(right) { state, now in
                for title in titles { state.keeper?.releaseUnknown(title) }
                state.readings.doubted(at: now)
                return []
            }
        }
    }

    private func read(_ numbers: [ShardNumber], by right: NodeRight) async {
        do {
            let records = try await self.store.shards(of: right.incarnation, and: numbers)
            self.settle(right) { state, now in
                for record in records { state.knownLoads[record.number] = record.load }
                let orders = state.keeper?.read(records, living: state.living, at: now) ?? []
                state.readings.read(isSettled: Self.isSettled(records, right, state), at: now)
                return orders
            }
        } catch {
            self.logger.debug("shards were not read", metadata: ["error": "\(error)"])
        }
    }

    /// Whether the node has what it should have, and nothing else; one that takes nothing now waits for nothing.
    private static func isSettled(_ records: [ShardRecord], _ right: NodeRight, _ state: State) -> Bool {
        let acting = Set(state.keeper?.acting.map(\.number) ?? [])
        let takes = !(state.keeper?.isResigned ?? true)
        return records.allSatisfy { record in
            let isOwned = record.owner == right.incarnation
            let isWanted = record.wanted == right.incarnation && takes
            return isOwned == isWanted && isOwned == acting.contains(record.number)
        }
    }

    private func report(_ loads: [ShardLoadReport], by right: NodeRight) async {
        do {
            let held = Set(try await self.store.report(loads, by: right))
            self.settle(right) { state, _ in
                var orders: [ShardOrder] = []
                for load in loads {
                    if held.contains(load.title) {
                        state.loads.reported(load.load, of: load.title)
                    } else if let lost = state.keeper?.lost(load.title), !lost.isEmpty {
                        state.counts.lost += 1
                        orders += lost
                        state.readings.want()
                    }
                }
                return orders
            }
        } catch {
            self.logger.debug("loads of shards were not reported", metadata: ["error": "\(error)"])
        }
    }

    /// Notes what came of a statement, unless the node has become another incarnation or was isolated meanwhile.
    private func settle(
        _ right: NodeRight, _ body: (inout State, ClusterInstant) -> [ShardOrder]
    ) {
        self.change { state, now in
            state.right == right ? body(&state, now) : []
        }
    }
}
