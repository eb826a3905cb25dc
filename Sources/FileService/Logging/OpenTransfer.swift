import ClusterModel
import ClusterPorts
import Synchronization

import struct Foundation.Date

/// One transfer while it runs; ends once, by ``ended(size:failure:)``, ``left()`` or ``vanish()``.
final class OpenTransfer: Sendable {
    let began: ContinuousClock.Instant
    /// The resumable upload that it goes on with.
    let upload: UploadID?
    private let record: TransferRecord
    private let log: TransferLog
    private let moved = Mutex<Int64>(0)
    private let over = Mutex(false)
    private let pace: Mutex<TransferPace>
    private let isListed = Mutex(false)

    init(
        _ record: TransferRecord, log: TransferLog, began: ContinuousClock.Instant, of upload: UploadID? = nil
    ) {
        self.upload = upload
        self.pace = Mutex(TransferPace(began: began))
        self.record = record
        self.log = log
        self.began = began
    }

    func add(_ bytes: Int64) { self.moved.withLock { $0 += bytes } }

    /// As the transfer log lists it while it runs.
    var running: TransferRecord {
        var record = self.record
        record.size = self.moved.withLock { $0 }
        return record
    }

    /// To be called about once a second.
    func mark(at now: ContinuousClock.Instant) {
        let moved = self.moved.withLock { $0 }
        self.pace.withLock { $0.mark(moved, at: now) }
    }

    /// Bytes a second, over the last few.
    func rate(at now: ContinuousClock.Instant) -> Double {
        let moved = self.moved.withLock { $0 }
        return self.pace.withLock { $0.rate(moved, at: now) }
    }

    /// It is about to be listed in the database; false when it has ended, and is not to be.
    func listed() -> Bool {
        // In this order: whoever ends it without a record of its own sets the one, then reads the other.
        self.isListed.withLock { $0 = true }
        return !self.over.withLock { $0 }
    }

    /// It ends without a record of its own: where it was listed, it goes from the list.
    func vanish() {
        guard self.close() else { return }
        if self.isListed.withLock({ $0 }) { self.log.vanished(self.record.id) }
    }

    /// Writes the end to the log.
    ///
    /// - Parameters:
    ///   - size: bytes in all; nil takes those counted.
    ///   - failure: why it failed; nil when it did not.
    func ended(size: Int64? = nil, failure: String?) async {
        guard self.close() else { return }
        await self.log.record(self.ending(size, failure))
    }

    /// The same without waiting for room in the log's queue.
    func endedNow(size: Int64, failure: String?) {
        guard self.close() else { return }
        self.log.recordNow(self.ending(size, failure))
    }

    private func ending(_ size: Int64?, _ failure: String?) -> TransferRecord {
        var record = self.running
        if let size { record.size = size }
        record.status = failure == nil ? .completed : .failed
        record.reason = failure
        record.endedAt = Date()
        return record
    }

    /// It is no longer listed as running by this node: a decision writes its end.
    func left() { _ = self.close() }

    private func close() -> Bool {
        let first = self.over.withLock { over in
            defer { over = true }
            return !over
        }
        if first { self.log.closed(self) }
        return first
    }

    var id: ObjectIdentifier { ObjectIdentifier(self) }
}
