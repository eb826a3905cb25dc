import Synchronization

/// Takes calls from any thread and keeps them until the loop sends them; knows when to refuse them instead.
///
/// It writes many calls into one buffer, so that the loop gets them in one piece: concurrent callers share a
/// write without knowing of each other.
final class CallQueue: Sendable {
    typealias Answer = Result<RedisValue, RedisError>

    /// Who waits for a reply.
    enum Waiter: Sendable {
        case call(CheckedContinuation<Answer, Never>, budget: Duration)
        case probe
    }

    struct Entry: Sendable {
        let number: UInt64
        let waiter: Waiter
        let deadline: ContinuousClock.Instant
    }

    struct Batch: Sendable {
        var bytes: [UInt8] = []
        var entries: [Entry] = []
    }

    enum Gate: Equatable {
        case open
        case refusing(RedisError)
    }

    private struct State {
        var gate = Gate.refusing(.unavailable("not connected yet"))
        var batch = Batch()
        /// Given and not yet settled.
        var inFlight = 0
        var lastNumber: UInt64 = 0
        var statistics = RedisStatistics()
    }

    enum OnSubmit {
        /// The first of a batch: wake the loop.
        case wakeLoop(number: UInt64)
        /// The loop knows already that something waits.
        case queued(number: UInt64)
        case refused(RedisError)
    }

    private let state = Mutex(State())
    private let inFlightMax: Int
    private let commandBytesMax: Int

    init(inFlightMax: Int, commandBytesMax: Int) {
        self.inFlightMax = inFlightMax
        self.commandBytesMax = commandBytesMax
    }

    func submit(_ command: RedisCommand, waiter: Waiter, deadline: ContinuousClock.Instant) -> OnSubmit {
        guard command.byteCount <= self.commandBytesMax else {
            return .refused(.commandTooLong(bytes: command.byteCount, limit: self.commandBytesMax))
        }
        return self.state.withLock { state in
            if case .call = waiter {
                if case .refusing(let why) = state.gate {
                    state.statistics.refused += 1
                    return .refused(why)
                }
                guard state.inFlight < self.inFlightMax else {
                    state.statistics.refused += 1
                    return .refused(.overloaded(limit: self.inFlightMax))
                }
            }
            state.inFlight += 1
            state.lastNumber += 1
            let isFirst = state.batch.entries.isEmpty
            command.write(into: &state.batch.bytes)
            state.batch.entries.append(Entry(number: state.lastNumber, waiter: waiter, deadline: deadline))
            return isFirst ? .wakeLoop(number: state.lastNumber) : .queued(number: state.lastNumber)
        }
    }

    /// Everything that was submitted since the last time.
    func take() -> Batch {
        self.state.withLock { state in
            var batch = Batch()
            swap(&batch, &state.batch)
            state.statistics.sent += UInt64(batch.entries.count)
            return batch
        }
    }

    func admitCalls() {
        self.state.withLock { $0.gate = .open }
    }

    func refuseCalls(_ why: RedisError) {
        self.state.withLock { $0.gate = .refusing(why) }
    }

    /// The connection is gone: refuses from now on and answers what was never sent.
    func disconnected(_ why: RedisError, lost: Int) -> [Entry] {
        self.state.withLock { state in
            var batch = Batch()
            swap(&batch, &state.batch)
            state.gate = .refusing(why)
            state.inFlight = 0
            state.statistics.lost += UInt64(lost)
            return batch.entries
        }
    }

    /// So many places of the pipeline are free again.
    func settle(_ count: Int, _ record: (inout RedisStatistics) -> Void) {
        self.state.withLock { state in
            state.inFlight -= count
            record(&state.statistics)
        }
    }

    var statistics: RedisStatistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.inFlight = state.inFlight
            statistics.isAvailable = state.gate == .open
            return statistics
        }
    }

    /// Why calls are refused now; nil while they are admitted.
    var refusal: RedisError? {
        self.state.withLock { state in
            guard case .refusing(let why) = state.gate else { return nil }
            return why
        }
    }
}
