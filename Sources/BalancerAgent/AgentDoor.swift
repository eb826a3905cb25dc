import ClusterModel
package import ClusterPorts
import Coordinator
import Glibc
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// Tells balancers in one line how much this node takes: HAProxy's agent check.
///
/// Looks at the node and answers on a thread of its own, so that it is as quick when everything else is busy. A
/// connection gets its line and is closed; above the bound it is closed without one, which HAProxy ignores.
package final class AgentDoor: Service {
    private struct State {
        var weight = IngressWeight()
        var answersBefore = QuickAnswers(count: 0, nanoseconds: 0)
        /// When a balancer asked last.
        var askedAt: NIODeadline?
    }

    /// Connections at a time; a balancer has one for a moment, twice a second.
    static let connectionsMax = 64

    private let host: String
    private let port: Int
    private let standing: any NodeStanding
    private let meter: any IngressMeter
    private let times: IngressTimes
    private let logger: Logger
    private let onBound: @Sendable (Int) -> Void
    private let state: Mutex<State>
    private let open = Atomic(0)
    private let stopping = Atomic(false)

    /// - Parameters:
    ///   - port: 0 takes a free one.
    ///   - onBound: Gets the port that is really listened on.
    package init(
        host: String, port: Int, standing: any NodeStanding, meter: any IngressMeter, logger: Logger,
        onBound: @escaping @Sendable (Int) -> Void
    ) {
        self.host = host
        self.port = port
        self.standing = standing
        self.meter = meter
        self.times = .standard
        self.logger = logger
        self.onBound = onBound
        self.state = Mutex(State())
    }

    /// The weight in percent that balancers are told, and the latency behind it.
    package func weight() -> (percent: Int, latency: Duration?) {
        self.state.withLock { state in
            (
                state.weight.percent,
                state.weight.latency.map { Duration.nanoseconds(Int64($0 * 1_000_000_000)) }
            )
        }
    }

    package func run() async throws {
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server: any Channel
        do {
            server = try await self.listen(on: loops)
        } catch {
            try? await loops.shutdownGracefully()
            throw AgentDoorError(host: self.host, port: self.port, cause: error)
        }
        self.onBound(server.localAddress?.port ?? 0)
        let period = TimeAmount.nanoseconds(self.times.period.components.attoseconds / 1_000_000_000)
        let looks = server.eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in
            self.look()
        }
        try? await gracefulShutdown()
        looks.cancel()
        try? await server.close()
        try? await loops.shutdownGracefully()
    }

    private func listen(on loops: MultiThreadedEventLoopGroup) async throws -> any Channel {
        try await ServerBootstrap(group: loops)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AgentConversation(door: self))
                }
            }
            .bind(host: self.host, port: self.port).get()
    }

    // MARK: Looking

    private func look() {
        let load = self.meter.sample()
        let answers = self.meter.quickAnswers()
        let now = ClusterInstant(nanoseconds: Int64(NIODeadline.now().uptimeNanoseconds))
        let share = self.standing.capacityShare()
        let change = self.state.withLock { state in
            let before = state.weight.percent
            let sample = IngressSample(
                inFlight: load.inFlight, capacity: self.meter.capacity, share: share,
                answered: Int(answers.count - state.answersBefore.count),
                took: .nanoseconds(answers.nanoseconds - state.answersBefore.nanoseconds))
            state.answersBefore = answers
            state.weight.looked(sample, at: now)
            return (before: before, after: state.weight.percent, latency: state.weight.latency)
        }
        guard change.before != change.after else { return }
        self.logger.debug(
            "the weight for the balancer changed",
            metadata: [
                "ingress.percent": "\(change.after)", "ingress.in_flight": "\(load.inFlight)",
                "ingress.latency_ms": "\(Int((change.latency ?? 0) * 1_000))",
            ])
    }

    // MARK: Answering

    /// False when there are as many connections as may be.
    func opened() -> Bool { self.open.add(1, ordering: .relaxed).newValue <= Self.connectionsMax }

    func closed() { self.open.subtract(1, ordering: .relaxed) }

    func line() -> String {
        let percent = self.state.withLock { state in
            state.askedAt = .now()
            return state.weight.percent
        }
        return BalancerAnswer(
            standing: self.standing.standing(), hasJoined: self.standing.view() != nil,
            isStopping: self.stopping.load(ordering: .relaxed), percent: percent
        ).line
    }

    // MARK: Stopping

    /// From now on the node takes nothing new; answers when a balancer asked last.
    func stop() -> NIODeadline? {
        self.stopping.store(true, ordering: .relaxed)
        return self.askedAt
    }

    var askedAt: NIODeadline? { self.state.withLock { $0.askedAt } }
}

/// Why the agent's door does not open.
package struct AgentDoorError: Error, CustomStringConvertible {
    package let description: String

    init(host: String, port: Int, cause: any Error) {
        let reason = (cause as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(cause)"
        self.description = "cannot listen on \(host):\(port): \(reason)"
    }
}
