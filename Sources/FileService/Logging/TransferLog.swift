package import ClusterModel
package import ClusterPorts
package import Logging
import ServiceLifecycle
import Synchronization

import struct Foundation.UUID

/// Writes the transfer log behind the answers: decisions are durable before, so this may lag a little.
///
/// One statement is in flight. What comes seldom leaves at once; what comes fast is gathered, for ``FileLimits/logPace``
/// at most (``TransferLogLine``). When the queue is full, whoever adds to it waits. Transfers that run for a second are listed while they run, all in one
/// statement a second. When the node stops, ``run()`` writes what is left, within ``FileLimits/logDrain``; what it
/// cannot write of decided changes is written by whoever clears the node's departure.
package final class TransferLog: Service {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var queue: TransferLogQueue
        var open: [ObjectIdentifier: OpenTransfer] = [:]
        var waiting: [Waiter] = []
        /// Listed before, and ended without a record.
        var vanished: [UUID] = []
        /// Set when the node stops.
        var deadline: ContinuousClock.Instant?
        var stopped = false

        var isEnding: Bool { self.stopped || self.deadline != nil }
    }

    private let names: any NameStore
    private let transfers: any TransferStore
    private let standing: any NodeStanding
    private let limits: FileLimits
    private let logger: Logger
    private let state: Mutex<State>
    private let arrived: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    private static let pause: Duration = .milliseconds(100)
    /// How often it is looked whether what is gathered may wait no more.
    private static let look: Duration = .milliseconds(5)

    package init(
        names: any NameStore, transfers: any TransferStore, standing: any NodeStanding, limits: FileLimits,
        logger: Logger
    ) {
        self.names = names
        self.transfers = transfers
        self.standing = standing
        self.limits = limits
        self.logger = logger
        self.state = Mutex(
            State(
                queue: TransferLogQueue(
                    batch: limits.logBatch, limit: limits.logQueue, pace: limits.logPace)))
        (self.arrived, self.arrival) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Removes a decided change's rows and logs it, soon.
    ///
    /// Waits while the queue is full.
    package func finish(_ operation: FinishedOperation) async {
        await self.add(operation.operation.id) { $0.add(operation) }
    }

    /// Logs a transfer that no decision goes with, soon.
    ///
    /// Waits while the queue is full.
    package func record(_ record: TransferRecord) async {
        await self.add(record.id) { $0.add(record) }
    }

    /// The same without waiting, above the bound if need be: for who looked at ``hasRoom`` when the transfer began.
    func recordNow(_ record: TransferRecord) {
        let (isStopped, isFirst) = self.state.withLock { state in
            let isFirst = state.queue.count == 0
            if !state.stopped { state.queue.add(record) }
            return (state.stopped, isFirst)
        }
        if isStopped { return self.unwritten(record.id) }
        // Behind others it is found by who writes those.
        if isFirst { self.arrival.yield() }
    }

    /// Makes haste with a decided change that somebody waits for; false when it is not here (any more).
    func hurry(_ operation: UUID) -> Bool { self.state.withLock { !$0.stopped && $0.queue.hurry(operation) } }

    private func unwritten(_ id: UUID) {
        self.logger.warning(
            "a transfer ended after this node closed its log of transfers", metadata: ["transfer": "\(id)"])
    }

    /// Whether half of the queue is free, and the node does not stop.
    var hasRoom: Bool {
        self.state.withLock { !$0.isEnding && $0.queue.count < self.limits.logQueue / 2 }
    }

    /// The node stops: what would begin now might end when nothing can be logged any more.
    var isEnding: Bool { self.state.withLock { $0.isEnding } }

    /// What is not written yet.
    package var backlog: Int { self.state.withLock { $0.queue.count } }

    /// - Parameter upload: the resumable one that it goes on with.
    func begin(_ record: TransferRecord, of upload: UploadID? = nil) -> OpenTransfer {
        let transfer = OpenTransfer(record, log: self, began: .now, of: upload)
        self.state.withLock { $0.open[transfer.id] = transfer }
        return transfer
    }

    func closed(_ transfer: OpenTransfer) {
        _ = self.state.withLock { $0.open.removeValue(forKey: transfer.id) }
    }

    /// Bounded by the transfers that run in a second and a bit.
    func vanished(_ id: UUID) { self.state.withLock { $0.vanished.append(id) } }

    /// What runs at this node now, oldest first.
    package func sessions() -> [TransferSession] {
        let now = ContinuousClock.now
        return self.state.withLock { Array($0.open.values) }.map { transfer in
            TransferSession(record: transfer.running, upload: transfer.upload, rate: transfer.rate(at: now))
        }.sorted { $0.record.origin.startedAt < $1.record.origin.startedAt }
    }

    private func add(_ id: UUID, _ entry: @Sendable (inout TransferLogQueue) -> Void) async {
        while true {
            let (added, stopped) = self.state.withLock { state in
                guard !state.queue.isFull, !state.stopped else { return (false, state.stopped) }
                entry(&state.queue)
                return (true, false)
            }
            if stopped { return self.unwritten(id) }
            if added {
                self.arrival.yield()
                return
            }
            await withCheckedContinuation { continuation in
                let again = self.state.withLock { state in
                    guard state.queue.isFull, !state.stopped else { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if again { continuation.resume() }
            }
        }
    }

    // MARK: - Writing

    package func run() async throws {
        await withTaskGroup { group in
            group.addTask { await cancelWhenGracefulShutdown { await self.listRunning() } }
            group.addTask { await self.write() }
        }
        await self.unlistVanished()
    }

    private func write() async {
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in self.arrived { await self.writeAll() }
        } onCancelOrGracefulShutdown: {
            self.state.withLock { $0.deadline = .now + self.limits.logDrain }
            self.arrival.finish()
        }
        await self.awaitDownloads()
        await self.writeAll()
        let (left, waiting) = self.state.withLock { state in
            state.stopped = true
            defer { state.waiting = [] }
            return (state.queue.count, state.waiting)
        }
        for continuation in waiting { continuation.resume() }
        if left > 0 {
            self.logger.error("records of transfers were left unwritten", metadata: ["count": "\(left)"])
        }
    }

    /// Gives the downloads that run when the node stops a while to end, so that their ends are logged.
    ///
    /// What changes files has ended before; new downloads are refused by now.
    private func awaitDownloads() async {
        let until = ContinuousClock.now + self.limits.downloadsDrain
        while !self.state.withLock({ $0.open.isEmpty }), ContinuousClock.now < until {
            await self.writeAll()
            do { try await Task.sleep(for: Self.look) } catch { return }
        }
    }

    /// Ends when the queue is empty or, once the node stops, at the deadline.
    private func writeAll() async {
        while true {
            let batch: TransferLogQueue.Batch
            switch self.next() {
            case .nothing: return
            case .wait(let until):
                // In short steps: nobody has to wake it who adds more, hurries, or stops it.
                let step = min(until - ContinuousClock.now, Self.look)
                do { try await Task.sleep(for: step) } catch { return }
                continue
            case .write(let next): batch = next
            }
            let outcome = await self.write(batch)
            let (next, waiting) = self.state.withLock { state -> (TransferLogQueue.OnWritten, [Waiter]) in
                let next = state.queue.wrote(batch, outcome)
                guard !state.queue.isFull else { return (next, []) }
                defer { state.waiting = [] }
                return (next, state.waiting)
            }
            for continuation in waiting { continuation.resume() }
            switch next {
            case .goOn: break
            case .pause:
                do { try await Task.sleep(for: Self.pause) } catch { return }
            case .lost(let batch):
                self.logger.error(
                    "the database refused a record of a transfer", metadata: ["record": "\(batch)"])
            }
        }
    }

    private func next() -> TransferLogQueue.Next {
        let now = ContinuousClock.now
        return self.state.withLock { state in
            if let deadline = state.deadline, now >= deadline { return .nothing }
            return state.queue.next(at: now, isLast: state.deadline != nil)
        }
    }

    private func write(_ batch: TransferLogQueue.Batch) async -> TransferLogQueue.Outcome {
        do throws(StoreError) {
            switch batch {
            case .finish(let operations):
                _ = try await self.names.finish(operations)
            case .record(let records):
                guard let right = self.standing.standing().right else { return .notNow }
                try await self.transfers.record(records, by: right)
            }
            return .written
        } catch {
            self.logger.warning("the transfer log waits", metadata: ["reason": "\(error.description)"])
            switch error {
            // Both statements leave alone what is there already.
            case .notRun, .mayHaveRun: return .notNow
            case .refused, .corrupt: return .refused
            }
        }
    }

    private func listRunning() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
            let now = ContinuousClock.now
            for transfer in self.state.withLock({ Array($0.open.values) }) { transfer.mark(at: now) }
            // Here and nowhere else while it runs, so that no listing in flight brings one of them back.
            await self.unlistVanished()
            guard let right = self.standing.standing().right else { continue }
            let before = ContinuousClock.now - self.limits.listedAfter
            let open = self.state.withLock { Array($0.open.values) }
            let due = open.filter { $0.began <= before && $0.listed() }
            let running = due.map(\.running).filter { $0.incarnation == right.incarnation }
            guard !running.isEmpty else { continue }
            do throws(StoreError) { try await self.transfers.record(running, by: right) } catch {
                self.logger.debug(
                    "running transfers are not listed now", metadata: ["reason": "\(error.description)"])
            }
        }
    }

    private func unlistVanished() async {
        let vanished = self.state.withLock { state in
            let batch = Array(state.vanished.prefix(self.limits.logBatch))
            state.vanished.removeFirst(batch.count)
            return batch
        }
        guard !vanished.isEmpty else { return }
        do throws(StoreError) { try await self.transfers.unlist(vanished) } catch {
            // They are ended with the node at the latest.
            self.state.withLock { $0.vanished += vanished.prefix(self.limits.logQueue) }
        }
    }
}

/// A transfer that runs, as it is now.
package struct TransferSession: Sendable, Hashable {
    /// With the bytes that were moved so far.
    package var record: TransferRecord
    package var upload: UploadID?
    /// Bytes a second, over the last few.
    package var rate: Double
}
