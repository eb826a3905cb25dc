import ClusterModel
import ClusterPorts
import ClusterRuntime
import ClusterTestKit
import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing

/// What runs jobs in one node, around a standing that the test sets.
struct JobNode {
    let right: NodeRight
    let standing: FixedStanding
    let doorbell: any Doorbell
    let runner: JobRunner
    let stager: JobStager
    let sweeper: JobSweeper
    var services: [any Service] { [self.runner, self.stager, self.sweeper] }

    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init(
        _ right: NodeRight, store: any JobStore, losses: any LeaseStore, handlers: [any JobHandler],
        doorbell: any Doorbell = LocalDoorbell(), settings: JobRunner.Settings = JobRunner.Settings()
    ) {
        self.right = right
        self.standing = FixedStanding(right)
        self.doorbell = doorbell
        self.runner = JobRunner(
            store: store, losses: losses, standing: self.standing, handlers: handlers, doorbell: doorbell,
            settings: settings, logger: Self.quiet)
        self.stager = JobStager(
            store: store, standing: self.standing, ends: self.runner.orderedEnds, doorbell: doorbell,
            logger: Self.quiet)
        var sweeps = JobSweeper.Settings()
        sweeps.lookIdleEvery = .milliseconds(50)
        sweeps.lookEvery = .milliseconds(20)
        self.sweeper = JobSweeper(
            store: store, standing: self.standing, doorbell: doorbell, settings: sweeps, logger: Self.quiet)
    }

    /// Runs services until the body returns, then stops them gracefully, the last one first.
    static func running(
        _ services: [any Service], _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    ServiceGroupConfiguration.ServiceConfiguration(
                        service: $0, successTerminationBehavior: .ignore,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                }, logger: Self.quiet))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let result = await Result { () async throws -> Void in try await body() }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try result.get()
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(catching body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// Does what the test says.
struct ScriptedHandler: JobHandler {
    let kind: JobKind
    let body: @Sendable (ClaimedJob, any JobDesk) async -> JobEnd

    init(
        _ kind: JobKind = JobWords.kind,
        _ body: @escaping @Sendable (ClaimedJob, any JobDesk) async -> JobEnd = { _, _ in .done(note: nil) }
    ) {
        self.kind = kind
        self.body = body
    }

    func run(_ job: ClaimedJob, _ desk: any JobDesk) async -> JobEnd { await self.body(job, desk) }
}

enum JobWords {
    static let kind = Self.kind("no-op")

    static func kind(_ text: String) -> JobKind {
        guard let kind = JobKind(text) else { fatalError("\(text) is no kind") }
        return kind
    }

    static func right(_ number: Int64, slot: Int16 = 1) -> NodeRight {
        guard let incarnation = Incarnation(rawValue: number), let name = NodeName("worker-\(number)") else {
            fatalError("\(number) is no incarnation")
        }
        return NodeRight(slot: Slot(slot), incarnation: incarnation, name: name)
    }

    static func spec(_ change: (inout JobSpec) -> Void = { _ in }) -> JobSpec {
        var spec = JobSpec(kind: Self.kind, payload: "{}", submitter: "test")
        change(&spec)
        return spec
    }

    /// Until the task is cancelled.
    static func untilCancelled() async {
        for await _ in AsyncStream<Void>.makeStream().stream {}
    }
}

/// Counts what goes on at a time, and all in all.
final class Meter: Sendable {
    private struct State {
        var now = 0
        var most = 0
        var all = 0
        var seen: [Int64: Int] = [:]
        var order: [Int64] = []
    }
    private let state = Mutex(State())

    func began(_ job: ClaimedJob) {
        self.state.withLock { state in
            state.now += 1
            state.all += 1
            state.most = max(state.most, state.now)
            state.seen[job.title.job.rawValue, default: 0] += 1
            state.order.append(job.title.job.rawValue)
        }
    }
    func ended() { self.state.withLock { $0.now -= 1 } }
    var most: Int { self.state.withLock { $0.most } }
    var all: Int { self.state.withLock { $0.all } }
    var now: Int { self.state.withLock { $0.now } }
    var order: [Int64] { self.state.withLock { $0.order } }
}
