package import PostgresDriver
import Synchronization

/// The sessions in which a deciding statement's answer was lost: it may still run there.
///
/// Whoever reads what became of it (rule R2) has to know first that they are over, or the answer is not final. Bounded;
/// past that, readers read at once, and what they find missing may still come.
package final class LostSessions: Sendable {
    private let sessions = Mutex<Set<PostgresSession>>([])
    /// Each is a connection of the pool that was lost; an unreachable server takes none.
    private static let limit = 1_000

    package init() {}

    package func note(_ session: PostgresSession) {
        self.sessions.withLock { sessions in
            guard sessions.count < Self.limit else { return }
            sessions.insert(session)
        }
    }

    package var all: [PostgresSession] { self.sessions.withLock { Array($0) } }

    func areOver(_ over: some Sequence<PostgresSession>) {
        self.sessions.withLock { $0.subtract(over) }
    }
}
