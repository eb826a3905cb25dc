import ReadinessLoop

/// The producer's end of a COPY to the server, for one task.
struct CopyFeed: Sendable {
    /// Bytes that are gathered before they are handed over: one wake-up of the loop for each.
    static let batchBytes = 256 * 1024

    private let work: CopyInWork
    private let exchange: Exchange
    private let loop: ReadinessLoop

    init(work: CopyInWork, exchange: Exchange, loop: ReadinessLoop) {
        self.work = work
        self.exchange = exchange
        self.loop = loop
        work.onGiven = { [weak exchange] in exchange?.proceed() }
    }

    /// Returns when there is room for more: at most one piece waits while the one before it leaves.
    func give(_ piece: [UInt8]) async throws(PostgresError) {
        guard !piece.isEmpty else { return }
        let error: PostgresError? = await withTaskCancellationHandler {
            await withCheckedContinuation { producer in
                let isRunning = self.loop.execute { self.work.give(piece, producer) }
                if !isRunning { producer.resume(returning: .didNotRun(.closed)) }
            }
        } onCancel: {
            self.loop.execute { self.exchange.cancel() }
        }
        if let error { throw error }
    }

    /// - Returns: the rows that the server has stored.
    func end() async throws(PostgresError) -> Int {
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { (finisher: CopyInWork.Stored) in
                let isRunning = self.loop.execute { self.work.end(finisher) }
                if !isRunning { finisher.resume(returning: .failure(.didNotRun(.closed))) }
            }
        } onCancel: {
            self.loop.execute { self.exchange.cancel() }
        }
        return try answer.get()
    }
}
