import ReadinessLoop

/// The consumer's end of a flow, for any task.
struct PieceReader<Piece: Sendable>: Sendable {
    private let flow: PieceFlow<Piece>
    private let exchange: Exchange
    private let loop: ReadinessLoop

    init(flow: PieceFlow<Piece>, exchange: Exchange, loop: ReadinessLoop) {
        self.flow = flow
        self.exchange = exchange
        self.loop = loop
        flow.onTaken = { [weak exchange] in exchange?.proceed() }
    }

    /// The next piece, or nil at the end; a cancelled task gets its error at once.
    func next() async throws(PostgresError) -> Piece? {
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { (consumer: CheckedContinuation<PieceFlow<Piece>.Answer, Never>) in
                let isRunning = self.loop.execute { self.flow.wanted(by: consumer) }
                if !isRunning { consumer.resume(returning: .failure(.didNotRun(.closed))) }
            }
        } onCancel: {
            self.loop.execute { self.exchange.cancel() }
        }
        return try answer.get()
    }
}

extension PostgresConnection {
    /// Gives the connection to a work whose pieces `body` walks, until `body` is done.
    ///
    /// - Parameter fault: why the statement cannot be sent at all.
    func lend<Piece: Sendable, Answer: Sendable>(
        _ work: any ExclusiveWork, _ flow: PieceFlow<Piece>, fault: String?, deadline: Duration,
        _ body: (PieceReader<Piece>) async throws -> Answer
    ) async throws -> Answer {
        if let fault { throw PostgresError.didNotRun(.invalid(fault)) }
        let exchange = self.begin(work, deadline: deadline)
        defer { self.leave(exchange) }
        return try await body(PieceReader(flow: flow, exchange: exchange, loop: self.loop))
    }

    /// Gives the connection to a work, as soon as it is free.
    func begin(_ work: any ExclusiveWork, deadline: Duration) -> Exchange {
        let exchange = Exchange(work, due: ContinuousClock.now.advanced(by: deadline))
        let isRunning = self.loop.execute { [core] in core.begin(exchange) }
        // The loop has stopped: nobody else touches it.
        if !isRunning { exchange.refuse(.closed) }
        return exchange
    }

    func leave(_ exchange: Exchange) {
        self.loop.execute { exchange.leave() }
    }
}
