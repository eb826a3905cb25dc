package import ClusterModel
package import ClusterPorts
import PostgresDriver

extension PostgresStore: JobStore {
    /// Who finds a submitter's key taken, and then nothing under it, because it was just forgotten, tries again.
    private static let enqueueAttempts = 4

    package func enqueue(_ specs: [JobSpec]) async throws(StoreError) -> [EnqueueAnswer] {
        guard !specs.isEmpty else { return [] }
        try Self.check(batch: specs.count)
        for spec in specs { try spec.check() }
        var answers: [EnqueueAnswer?] = Array(repeating: nil, count: specs.count)
        var open = Array(specs.indices)
        var hasEnqueued = false
        for _ in 0..<Self.enqueueAttempts where !open.isEmpty {
            do throws(StoreError) {
                try await self.enqueueOnce(specs, &open, &answers, &hasEnqueued)
            } catch {
                // What was enqueued before stands, and nobody knows its numbers.
                guard hasEnqueued else { throw error }
                throw .mayHaveRun("a part of the batch was enqueued, then: \(error)")
            }
        }
        guard open.isEmpty else {
            throw hasEnqueued
                ? .mayHaveRun("a part of the batch was enqueued; the other keys come and go")
                : .notRun("the submitter's keys come and go")
        }
        return answers.compactMap { $0 }
    }

    private func enqueueOnce(
        _ specs: [JobSpec], _ open: inout [Int], _ answers: inout [EnqueueAnswer?], _ hasEnqueued: inout Bool
    ) async throws(StoreError) {
        let asked = open.map { specs[$0] }
        let (places, ids) = try await self.enqueued(asked).reading([Int64].self, [Int64].self)
        for (place, id) in zip(places, ids) {
            guard open.indices.contains(Int(place) - 1) else { throw .corrupt("there is no place \(place)") }
            answers[open[Int(place) - 1]] = .enqueued(try JobID(stored: id))
            hasEnqueued = true
        }
        open.removeAll { answers[$0] != nil }
        guard !open.isEmpty else { return }
        // A statement of its own: it sees what the other one waited for.
        for row in try await self.queue(EnqueueStatement.lookUp(open.map { specs[$0] })) {
            let (place, id, isSame) = try row.reading(Int64.self, Int64.self, Bool.self)
            guard open.indices.contains(Int(place) - 1) else { throw .corrupt("there is no place \(place)") }
            let job = try JobID(stored: id)
            answers[open[Int(place) - 1]] = isSame ? .duplicate(job) : .keyReused(job)
        }
        open.removeAll { answers[$0] != nil }
    }

    /// The leader makes partitions ahead of time.
    ///
    /// Without one for long they run out: then whoever enqueues makes some. A number that was drawn long ago
    /// may belong to a partition that is gone: the next attempt draws others.
    private func enqueued(_ specs: [JobSpec]) async throws(StoreError) -> PostgresRow {
        do throws(StoreError) {
            return try await self.queueRow(EnqueueStatement.enqueue(specs))
        } catch {
            guard error.isRefusal(.checkViolation) else { throw error }
            try await self.extendJobs()
            return try await self.queueRow(EnqueueStatement.enqueue(specs))
        }
    }
}

extension PostgresStore {
    /// Makes the partitions that the next jobs need.
    func extendJobs() async throws(StoreError) {
        _ = try await self.queueRow(
            "select flotilla.extend_jobs(n.last_value, n.last_value + 4000000) from flotilla.job_number n")
    }
}

extension JobSpec {
    /// The longest wait, and the longest deadline.
    private static let delayLimit: Duration = .seconds(31_622_400)
    private static let deadlineLimit: Duration = .seconds(604_800)

    /// Says what is wrong with it.
    func check() throws(StoreError) {
        func isText(_ text: String, _ bytes: ClosedRange<Int>) -> Bool {
            bytes.contains(text.utf8.count)
                && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        }
        let fault: String? =
            if self.payload.utf8.count > Self.payloadLimit {
                "a payload of \(self.payload.utf8.count) bytes; \(Self.payloadLimit) are the most"
            } else if !(0...9).contains(self.priority) {
                "priority \(self.priority); 0 to 9 are allowed"
            } else if !(.zero...Self.delayLimit).contains(self.delay ?? .zero) {
                "a delay of \(self.delay ?? .zero); 0 s to 366 days are allowed"
            } else if !isText(self.orderKey ?? "-", 1...200) {
                "an order key of 1 to 200 bytes without control characters is needed, or none"
            } else if self.bytes < 0 {
                "\(self.bytes) bytes; 0 or more are allowed"
            } else if !(1...1_000).contains(self.maxAttempts) {
                "\(self.maxAttempts) attempts; 1 to 1,000 are allowed"
            } else if !(.seconds(1)...Self.deadlineLimit).contains(self.deadline ?? .seconds(1)) {
                "a deadline of \(self.deadline ?? .zero); a second to a week is allowed"
            } else if self.requires.count > 16 || !self.requires.allSatisfy({ isText($0, 1...200) }) {
                "at most 16 required attributes of 1 to 200 bytes without control characters are allowed"
            } else if !isText(self.submitter, 1...200) {
                "a submitter of 1 to 200 bytes without control characters is needed"
            } else if !isText(self.idempotencyKey ?? "-", 1...200) {
                "an idempotency key of 1 to 200 bytes without control characters is needed, or none"
            } else {
                nil
            }
        if let fault { throw .refused(sqlState: "22023", message: "job of kind \(self.kind): \(fault)") }
    }
}
