import Synchronization

/// How many bytes of all uploads of a node may be in memory: those that wait to become a larger piece, and those that
/// are on their way to the mount.
///
/// Gathering saves a fast upload turns of a thread; a thousand slow ones together must not cost a quarter of a gigabyte.
package final class GatherBudget: Sendable {
    /// A piece while there is much room, and the mount is busy with the one before.
    package static let most = 1 << 20
    /// A piece, while there is room.
    package static let roomy = 256 << 10
    /// A piece, while there is none.
    package static let scarce = 16 << 10

    private let bytes: Int
    private let held = Atomic(0)

    package init(bytes: Int = 32 << 20) { self.bytes = bytes }

    /// How much one upload may gather now, in bytes.
    package var piece: Int { self.held.load(ordering: .relaxed) < self.bytes ? Self.roomy : Self.scarce }

    /// How much it may gather while the piece before is on its way.
    package var pieceMeanwhile: Int {
        self.held.load(ordering: .relaxed) < self.bytes / 2 ? Self.most : self.piece
    }

    /// Notes that so many more are held, or fewer.
    package func change(by count: Int) { self.held.add(count, ordering: .relaxed) }

    /// In bytes; tests look.
    package var inUse: Int { self.held.load(ordering: .relaxed) }
}
