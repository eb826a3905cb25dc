import DequeModule

/// What has arrived from the server and waits for its one consumer, up to a size; loop's thread only.
final class PieceFlow<Piece: Sendable>: @unchecked Sendable {
    typealias Answer = Result<Piece?, PostgresError>

    private let limit: Int
    private var pieces: Deque<(piece: Piece, size: Int)> = []
    private var size = 0
    private var ending: Answer?
    private var consumer: CheckedContinuation<Answer, Never>?
    /// Called when there is room again.
    var onTaken: () -> Void = {}

    /// - Parameter limit: in bytes; the piece that passes it is still taken.
    init(limit: Int) { self.limit = limit }

    var isFull: Bool { self.size >= self.limit }
    /// Somebody waits, and would rather have little now than much later.
    var isWanted: Bool { self.consumer != nil }

    func push(_ piece: Piece, size: Int) {
        guard self.ending == nil else { return }
        if let consumer = self.consumer {
            self.consumer = nil
            return consumer.resume(returning: .success(piece))
        }
        self.pieces.append((piece, size))
        self.size += size
    }

    /// No more pieces come; those that are here are still delivered.
    func finish(_ error: PostgresError?) {
        guard self.ending == nil else { return }
        let ending: Answer = error.map { .failure($0) } ?? .success(nil)
        self.ending = ending
        self.consumer?.resume(returning: ending)
        self.consumer = nil
    }

    /// Nothing more is delivered.
    func drop(_ error: PostgresError) {
        self.pieces = []
        self.size = 0
        self.finish(error)
    }

    /// Asks for the next piece; nil is the end, and an error stays for those who ask again.
    func wanted(by consumer: CheckedContinuation<Answer, Never>) {
        if let next = self.pieces.popFirst() {
            self.size -= next.size
            consumer.resume(returning: .success(next.piece))
            self.onTaken()
        } else if let ending = self.ending {
            consumer.resume(returning: ending)
        } else if self.consumer != nil {
            let reason = "two tasks read from one stream"
            consumer.resume(returning: .failure(.didNotRun(.invalid(reason))))
        } else {
            self.consumer = consumer
            self.onTaken()
        }
    }
}
