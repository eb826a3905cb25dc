package import ClusterModel
package import ClusterPorts
import DequeModule

/// Decides which notes share a statement: one in flight, one right in it, each upload once.
package struct NoteQueue<Waiter: Sendable>: Sendable {
    package struct Entry: Sendable {
        package var note: UploadNote
        package var right: NodeRight
        package var waiter: Waiter

        package init(note: UploadNote, right: NodeRight, waiter: Waiter) {
            self.note = note
            self.right = right
            self.waiter = waiter
        }
    }

    private let batch: Int
    private var waiting: Deque<Entry> = []

    package init(batch: Int) { self.batch = batch }

    package var isEmpty: Bool { self.waiting.isEmpty }

    /// Bounded by the requests that a node has open: each waits for its note.
    package mutating func add(_ entry: Entry) { self.waiting.append(entry) }

    /// The next statement's, in the order of asking; what does not fit keeps its order.
    package mutating func next() -> [Entry] {
        guard let first = self.waiting.first else { return [] }
        var taken: [Entry] = []
        var kept: Deque<Entry> = []
        var uploads: Set<UploadID> = []
        for entry in self.waiting {
            if taken.count < self.batch, entry.right == first.right,
                uploads.insert(entry.note.title.upload).inserted
            {
                taken.append(entry)
            } else {
                kept.append(entry)
            }
        }
        self.waiting = kept
        return taken
    }
}
