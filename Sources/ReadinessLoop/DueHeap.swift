/// Something that is due at an instant and can sit in one `DueHeap`.
package protocol DueEntry: AnyObject {
    var due: ContinuousClock.Instant { get }
    /// The heap's own notes; nobody else writes them. Start with nil and 0.
    var heapPosition: Int? { get set }
    var heapOrder: UInt64 { get set }
}

/// A binary heap by due time from which any entry can be taken out at logarithmic cost.
///
/// Entries that are due at the same instant keep the order in which they came.
package struct DueHeap<Entry: DueEntry> {
    private var entries: [Entry] = []
    private var lastOrder: UInt64 = 0

    package init() {}

    package var count: Int { self.entries.count }
    package var firstDue: ContinuousClock.Instant? { self.entries.first?.due }

    package mutating func insert(_ entry: Entry) {
        precondition(entry.heapPosition == nil, "an entry can be in one heap only, and once")
        self.lastOrder += 1
        entry.heapOrder = self.lastOrder
        entry.heapPosition = self.entries.count
        self.entries.append(entry)
        self.rise(from: self.entries.count - 1)
    }

    /// Nothing happens when the entry is in no heap.
    package mutating func remove(_ entry: Entry) {
        guard let position = entry.heapPosition else { return }
        let last = self.entries.count - 1
        self.exchange(position, last)
        self.entries.removeLast()
        entry.heapPosition = nil
        guard position < self.entries.count else { return }
        self.rise(from: position)
        self.sink(from: position)
    }

    /// Takes out the first entry if its time has come.
    package mutating func popDue(at now: ContinuousClock.Instant) -> Entry? {
        guard let first = self.entries.first, first.due <= now else { return nil }
        self.remove(first)
        return first
    }

    private mutating func rise(from start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard self.isBefore(child, parent) else { return }
            self.exchange(child, parent)
            child = parent
        }
    }

    private mutating func sink(from start: Int) {
        var parent = start
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < self.entries.count, self.isBefore(left, least) { least = left }
            if left + 1 < self.entries.count, self.isBefore(left + 1, least) { least = left + 1 }
            guard least != parent else { return }
            self.exchange(parent, least)
            parent = least
        }
    }

    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        let (one, other) = (self.entries[one], self.entries[other])
        return one.due == other.due ? one.heapOrder < other.heapOrder : one.due < other.due
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        guard one != other else { return }
        self.entries.swapAt(one, other)
        self.entries[one].heapPosition = one
        self.entries[other].heapPosition = other
    }
}
