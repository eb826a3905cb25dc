import Synchronization

/// How many bytes of all uploads of a node may wait in memory to become a larger piece.
///
/// Gathering saves a fast upload turns of a thread; a thousand slow ones together must not cost a quarter of a gigabyte.
package final class GatherBudget: Sendable {
    /// A piece, while there is room.
    package static let roomy = 256 << 10
    /// A piece, while there is none.
    package static let scarce = 16 << 10

    private let bytes: Int
    private let held = Atomic(0)

    package init(bytes: Int = 32 << 20) { self.bytes = bytes }

    /// How much one upload may gather now, in bytes.
    package var piece: Int {
        self.held.load(ordering: .relaxed) < self.bytes ? Self.roomy : Self.scarce
    }

    /// Notes that so many more are held, or fewer.
    package func change(by count: Int) { self.held.add(count, ordering: .relaxed) }
}
