import ArgumentParser
import ClusterPorts
import Foundation
import PostgresStore
import ServiceLifecycle

/// Carries out what comes on standard input.
///
/// `commit` ends every lease that was granted, straight at the database, whatever this node believes of them by now:
/// so does a holder that was paused just before its statement.
struct NodeOrders: Service {
    let store: PostgresStore
    let book: GrantBook

    func run() async throws {
        let lines = Self.lines()
        try await cancelWhenGracefulShutdown {
            for await line in lines {
                guard line == "commit" else { throw ValidationError("“\(line)” is no order") }
                for grant in self.book.all { await self.commit(grant) }
            }
            // Nobody has orders any more; the node goes on.
            try? await gracefulShutdown()
        }
    }

    private func commit(_ grant: GrantBook.Grant) async {
        do {
            let accepted = try await self.store.end([grant.title], by: grant.right) == [true]
            self.book.ended(grant, accepted: accepted)
            NodeEvents.committed(grant.title, accepted ? "accepted" : "refused")
        } catch {
            NodeEvents.committed(grant.title, "unknown")
        }
    }

    /// A thread of its own reads: nothing else may wait for standard input.
    private static func lines() -> AsyncStream<String> {
        let (lines, line) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(100))
        let thread = Thread {
            while let text = readLine() { line.yield(text) }
            line.finish()
        }
        thread.name = "orders"
        thread.start()
        return lines
    }
}
