import Synchronization

/// What the two lines of an incarnation know of each other: which of them stands.
///
/// Both hold the incarnation's advisory lock, and others take its absence for death within half a second. So of two
/// lines that are cut at once, the second keeps its old session, and with it the lock, until one of them stands
/// again. No more than one, so that a node needs one connection beyond its own at most, and never waits for a place
/// at the server that it occupies itself.
final class LinePair: Sendable {
    private let standing = Mutex<Set<LineThread.Role>>([])

    func opened(_ role: LineThread.Role) {
        self.standing.withLock { _ = $0.insert(role) }
    }

    /// The line failed; answers whether what is left of it has to be kept, because the other one does not stand.
    func failed(_ role: LineThread.Role) -> Bool {
        self.standing.withLock { standing in
            standing.remove(role)
            return standing.isEmpty
        }
    }

    func otherStands(than role: LineThread.Role) -> Bool {
        self.standing.withLock { standing in standing.contains { $0 != role } }
    }
}
