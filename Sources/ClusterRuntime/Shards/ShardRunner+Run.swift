import ClusterModel
import ClusterPorts
import Coordinator
import Logging
import ServiceLifecycle
import Synchronization

/// Starting, following the node's standing, and stopping.
extension ShardRunner: Service {
    /// So often the standing and the time are judged anew: a node whose database is silent hears of no change.
    private static let judgeEvery: Duration = .milliseconds(200)

    package func run() async throws {
        let (looks, look) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    self.follow()
                    for await _ in self.standing.changes() { self.follow() }
                }
                group.addTask {
                    while !Task.isCancelled {
                        self.follow()
                        look.yield()
                        do { try await Task.sleep(for: Self.judgeEvery) } catch { return }
                    }
                }
                group.addTask {
                    for await _ in self.assigned.listen() { self.poke() }
                }
                for index in self.works.indices {
                    group.addTask { await self.attend(index) }
                }
                group.addTask {
                    for await _ in self.turns {
                        await self.takeTurn()
                        look.yield()
                    }
                }
                // Beside the statement in flight: a silent database would not let go of a stopping node.
                for await _ in looks where self.isOver { break }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.stop()
        }
    }

    /// Reads the rows at once: somebody in this process has changed them.
    package func poke() {
        self.change { state, _ in
            state.readings.want()
            return []
        }
    }

    // MARK: Standing

    func follow() {
        let standing = self.standing.standing()
        let view = self.standing.view()
        let news = self.standing.shardNews()
        self.change { state, now in
            let orders = Self.follow(standing, &state, at: now, rules: self.settings.rules)
            if let view, view.version != state.viewVersion {
                state.viewVersion = view.version
                state.living = Set(view.members.filter { $0.status != .dead }.map(\.incarnation))
                state.readings.want()
            }
            if state.news != news {
                state.news = news
                state.readings.want()
            }
            return orders + (state.keeper?.passed(to: now) ?? [])
        }
    }

    private static func follow(
        _ standing: Standing, _ state: inout State, at now: ClusterInstant, rules: ShardRules
    ) -> [ShardOrder] {
        switch standing {
        case .serving(let right, _), .draining(let right, _):
            let orders = Self.adopt(right, &state, at: now, rules)
            Self.rejoin(&state)
            Self.resume(&state)
            return orders
        case .stale(let right):
            return Self.adopt(right, &state, at: now, rules)
        case .sick(let right, _):
            // The database hears it: whoever is well shall have them.
            let orders = Self.adopt(right, &state, at: now, rules)
            Self.rejoin(&state)
            return orders + (state.keeper?.resign(at: now, within: .zero) ?? [])
        case .isolated(let right):
            let orders = Self.adopt(right, &state, at: now, rules)
            guard !state.isIsolated else { return orders }
            state.isIsolated = true
            return orders + Self.drop(&state)
        case .outside: return Self.die(&state)
        }
    }

    /// Begins anew with a newer incarnation; answers what of the older one is to be cut.
    private static func adopt(
        _ right: NodeRight, _ state: inout State, at now: ClusterInstant, _ rules: ShardRules
    ) -> [ShardOrder] {
        if let newest = state.newest, newest >= right.incarnation { return [] }
        let orders = Self.die(&state)
        state.right = right
        state.newest = right.incarnation
        state.keeper = ShardKeeper(right.incarnation, rules: rules)
        state.isIsolated = false
        state.readings.want()
        guard state.stoppingSince != nil else { return orders }
        return orders + (state.keeper?.resign(at: now, within: .zero) ?? [])
    }

    /// Rows that were read while it was sick made it take nothing, so they are read again.
    private static func resume(_ state: inout State) {
        guard state.stoppingSince == nil, state.keeper?.isResigned == true else { return }
        state.keeper?.resume()
        state.readings.want()
    }

    private static func rejoin(_ state: inout State) {
        guard state.isIsolated else { return }
        state.isIsolated = false
        state.keeper?.rejoined()
        state.readings.want()
    }

    private static func die(_ state: inout State) -> [ShardOrder] {
        guard state.right != nil else { return [] }
        state.right = nil
        return Self.drop(&state)
    }

    private static func drop(_ state: inout State) -> [ShardOrder] {
        state.takes = []
        state.releases = []
        return state.keeper?.isolated() ?? []
    }

    // MARK: Stopping

    private func stop() {
        self.change { state, now in
            state.stoppingSince = state.stoppingSince ?? now
            return state.keeper?.resign(at: now, within: self.settings.stopGrace) ?? []
        }
    }

    /// Nothing is held any more, or it took too long.
    private var isOver: Bool {
        let latest = self.settings.stopGrace + self.settings.stopFlush
        return self.state.withLock { state in
            guard let since = state.stoppingSince else { return false }
            let isIdle = state.right == nil || state.keeper?.knows.isEmpty ?? true
            return isIdle || SteadyClock.now().since(since) >= latest
        }
    }
}
