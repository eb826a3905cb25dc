package import NIOCore

/// What came of one upload and waits to be worth a call of the mount.
///
/// Large pieces are kept as they came: their memory is counted, not their bytes alone. Small ones are copied together.
package struct GatheredBytes: ~Copyable {
    /// A call for less than this would cost more than the copy, in bytes.
    private static let keptFrom = 8 << 10
    /// What small pieces are copied into, in bytes.
    private static let together = 16 << 10

    private let budget: GatherBudget
    private var pieces: [ByteBuffer] = []
    /// Readable bytes in all.
    package private(set) var count = 0
    /// Memory that the pieces hold.
    private var held = 0
    /// Memory of what was taken last, and of what was taken before that and may still be on its way.
    private var latest = 0
    private var before = 0

    package init(budget: GatherBudget) { self.budget = budget }

    deinit { self.budget.change(by: -self.held - self.latest - self.before) }

    /// Whether it is worth a call.
    ///
    /// - Parameter isBusy: the piece before is still on its way.
    package func isEnough(while isBusy: Bool = false) -> Bool {
        self.count >= (isBusy ? self.budget.pieceMeanwhile : self.budget.piece)
    }

    package mutating func add(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        self.count += bytes.readableBytes
        let isLarge =
            bytes.readableBytes >= Self.keptFrom && bytes.readableBytes * 2 >= bytes.storageCapacity
        guard let last = self.pieces.indices.last, !isLarge else {
            self.pieces.append(bytes)
            return self.note(bytes.storageCapacity)
        }
        if self.pieces[last].writableBytes < bytes.readableBytes {
            let fresh = ByteBufferAllocator().buffer(capacity: max(Self.together, bytes.readableBytes))
            self.pieces.append(fresh)
            self.note(fresh.storageCapacity)
        }
        self.pieces[self.pieces.count - 1].writeImmutableBuffer(bytes)
    }

    package mutating func add(_ pieces: [ByteBuffer]) { for piece in pieces { self.add(piece) } }

    /// What was gathered; it counts as held until what is taken next has been accepted.
    package mutating func take() -> [ByteBuffer] {
        let taken = self.pieces
        self.pieces = []
        self.count = 0
        self.before += self.latest
        self.latest = self.held
        self.held = 0
        return taken
    }

    /// What was taken last was accepted, so what was taken before it is gone.
    package mutating func accepted() {
        self.budget.change(by: -self.before)
        self.before = 0
    }

    private mutating func note(_ bytes: Int) {
        self.held += bytes
        self.budget.change(by: bytes)
    }
}
