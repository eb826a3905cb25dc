package import PostgresDriver
import Synchronization

/// The sessions in which a deciding statement's answer was lost: it may still run there.
///
/// Whoever reads what became of it (rule R2) has to know first that they are over, or the answer is not final. An answer
/// that comes late clears its note, so a healthy session is ended only while such a statement runs in it. Bounded;
/// past that, readers read at once, and what they find missing may still come.
package final class LostSessions: Sendable {
    private struct Notes {
        var sessions: [Int: (session: PostgresSession, at: ContinuousClock.Instant)] = [:]
        var next = 0
    }

    private let notes = Mutex(Notes())
    private static let limit = 1_000
    /// A session whose start nobody knows cannot be told from a later one with its number: after so long, many times
    /// what the server gives a statement, it is taken for over.
    private static let unknownFor: Duration = .seconds(60)

    package init() {}

    /// Watches one statement.
    package func watch() -> LostAnswerWatch {
        let number = self.notes.withLock { notes in
            notes.next += 1
            return notes.next
        }
        return LostAnswerWatch(lost: { self.note($0, as: number) }, settled: { self.settle(number) })
    }

    package func note(_ session: PostgresSession) { self.watch().lost(session) }

    private func note(_ session: PostgresSession, as number: Int) {
        self.notes.withLock { notes in
            guard notes.sessions.count < Self.limit else { return }
            notes.sessions[number] = (session, .now)
        }
    }

    private func settle(_ number: Int) { self.notes.withLock { $0.sessions[number] = nil } }

    package var all: [PostgresSession] {
        self.notes.withLock { notes in
            let now = ContinuousClock.now
            notes.sessions = notes.sessions.filter { _, note in
                note.session.startedAt != nil || note.at.duration(to: now) < Self.unknownFor
            }
            return Array(Set(notes.sessions.values.map(\.session)))
        }
    }

    func areOver(_ over: some Sequence<PostgresSession>) {
        let over = Set(over)
        self.notes.withLock { notes in
            notes.sessions = notes.sessions.filter { !over.contains($0.value.session) }
        }
    }
}
