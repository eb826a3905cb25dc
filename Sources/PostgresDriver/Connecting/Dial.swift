import CLibPQ
import ReadinessLoop

/// One attempt to get a connection: each host in turn, each with a deadline; loop's thread only.
final class Dial: @unchecked Sendable {
    typealias Completion = (Result<(handle: ConnectionHandle, target: Int), PostgresError>) -> Void

    private let loop: ReadinessLoop
    private let targets: [[ConnectionSetting]]
    private let hostDeadline: Duration
    private let onNotice: (String) -> Void
    private var completion: Completion?
    private var remaining: [Int]
    private var current = 0
    private var failures: [String] = []
    private var handle: ConnectionHandle?
    private var watch: Watch?
    private var timer: LoopTimer?

    /// - Parameter first: the number of the target to begin with; the others follow in their order.
    init(
        loop: ReadinessLoop, targets: ConnectionTargets, first: Int, hostDeadline: Duration,
        onNotice: @escaping (String) -> Void, completion: @escaping Completion
    ) {
        self.loop = loop
        self.targets = targets.targets
        self.hostDeadline = hostDeadline
        self.onNotice = onNotice
        self.completion = completion
        let count = targets.targets.count
        self.remaining = (0..<count).map { (first + $0) % count }.reversed()
    }

    func start() {
        guard let next = self.remaining.popLast() else { return self.giveUp() }
        self.current = next
        let settings = self.targets[next]
        self.timer = self.loop.schedule(after: self.hostDeadline) { [weak self] in
            guard let self else { return }
            self.hostFailed(
                "\(ConnectionTargets.name(of: settings)): no session within \(self.hostDeadline)")
        }
        let isResolving = OffLoop.run {
            let handle = ConnectionHandle.start(settings)
            // A dial that was abandoned meanwhile drops the handle, and with it the connection.
            self.loop.execute { self.started(handle, target: next) }
        }
        if !isResolving { self.hostFailed("too many host names are being resolved already") }
    }

    /// Nobody wants the connection any more; the completion is not called.
    func abandon() {
        self.completion = nil
        self.clear()
    }

    private func started(_ handle: ConnectionHandle?, target: Int) {
        guard self.completion != nil, self.current == target, self.timer != nil else { return }
        guard let handle else { return self.hostFailed("out of memory") }
        handle.onNotice = self.onNotice
        self.handle = handle
        if handle.isBad { return self.hostFailed(handle.errorMessage) }
        // As if the last poll had asked to write: that is how libpq wants to be begun.
        self.wait(for: .writable)
    }

    private func step() {
        guard let handle = self.handle else { return }
        // Libpq may close its socket and open another, under the same number: look at it anew each time.
        self.watch?.cancel()
        self.watch = nil
        switch handle.poll() {
        case PGRES_POLLING_READING: self.wait(for: .readable)
        case PGRES_POLLING_WRITING: self.wait(for: .writable)
        case PGRES_POLLING_OK:
            let completion = self.completion
            self.completion = nil
            self.clear()
            completion?(.success((handle, self.current)))
        default: self.hostFailed(handle.errorMessage)
        }
    }

    private func wait(for readiness: Readiness) {
        guard let handle = self.handle else { return }
        do throws(ReadinessLoopError) {
            self.watch = try self.loop.watch(handle.socket, for: readiness) { [weak self] _ in self?.step() }
        } catch {
            self.hostFailed(error.description)
        }
    }

    private func hostFailed(_ message: String) {
        self.failures.append(message)
        self.clear()
        self.start()
    }

    private func giveUp() {
        let completion = self.completion
        self.completion = nil
        completion?(.failure(.didNotRun(.notConnected(self.failures.joined(separator: "; ")))))
    }

    private func clear() {
        self.watch?.cancel()
        self.watch = nil
        self.timer?.cancel()
        self.timer = nil
        self.handle = nil
    }
}
