package import ClusterModel
package import ClusterPorts
import DequeModule

package import struct Foundation.UUID

/// Combines the decisions of one node into statements: one in flight, and nobody waits while none is.
///
/// Whoever finds nothing in flight leads at once; when a statement ends, the oldest that waits leads the next one
/// with all that fits. So an idle node adds no delay, and a busy one needs few statements.
package struct DecisionBatcher {
    package struct Entry: Sendable, Hashable {
        package var publication: Publication
        package var right: NodeRight

        package init(publication: Publication, right: NodeRight) {
            self.publication = publication
            self.right = right
        }

        package var id: UUID { self.publication.operation.id }
    }

    package enum OnSubmitted: Equatable {
        /// Run a statement with this.
        case lead([Entry])
        /// An answer or the lead comes later.
        case wait
        /// The queue is full.
        case refuse
    }

    package enum OnEnded: Equatable {
        case idle
        /// The first entry's task runs the next statement.
        case handOver([Entry])
    }

    private struct Name: Hashable {
        var account: AccountID
        var path: HomePath
    }

    private let batch: Int
    private let limit: Int
    private var waiting: Deque<Entry> = []
    private var inFlight = false

    package init(batch: Int, queue limit: Int) {
        self.batch = batch
        self.limit = limit
    }

    package mutating func submitted(_ entry: Entry) -> OnSubmitted {
        guard self.inFlight else {
            self.inFlight = true
            return .lead([entry])
        }
        guard self.waiting.count < self.limit else { return .refuse }
        self.waiting.append(entry)
        return .wait
    }

    /// The statement in flight was answered or failed.
    package mutating func ended() -> OnEnded {
        guard let first = self.waiting.first else {
            self.inFlight = false
            return .idle
        }
        var taken: [Entry] = []
        var kept: Deque<Entry> = []
        var names: Set<Name> = []
        // One statement holds one right and each name once: the rest keeps its order for the next.
        for entry in self.waiting {
            let name = Name(account: entry.publication.operation.account, path: entry.publication.path)
            if taken.count < self.batch, entry.right == first.right, names.insert(name).inserted {
                taken.append(entry)
            } else {
                kept.append(entry)
            }
        }
        self.waiting = kept
        return .handOver(taken)
    }
}
