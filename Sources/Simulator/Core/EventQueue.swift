/// What happens at a moment of simulated time; small, so that the queue moves little memory.
package struct Event {
    package enum Kind: UInt8, Sendable {
        /// A node's heartbeat thread wakes.
        case beatDue
        /// A heartbeat reaches the database's server.
        case beatArrives
        /// Its answer reaches the node.
        case beatAnswered
        /// The second lock holder looks after its connection.
        case holderDue
        /// The coordinator asked to be woken.
        case woke
        /// A statement takes its next step.
        case statementStep
        /// A closure of one process of a node; nothing when that process is gone.
        case nodeCall
        /// A closure of the world around the nodes.
        case call
    }

    /// Nanoseconds since the start of the run.
    package var at: Int64
    /// Breaks ties: who was asked for first comes first.
    package var order: Int64
    /// What belongs to the kind: a token, a statement's number, a closure's place.
    var value: Int
    /// Which process of the node; see ``NodeProcess/number``.
    var process: Int32
    var node: Int16
    var kind: Kind

    static func isBefore(_ left: borrowing Event, _ right: borrowing Event) -> Bool {
        left.at != right.at ? left.at < right.at : left.order < right.order
    }
}

/// Events by time, equal times in the order in which they were asked for: a heap with four children a node.
package struct EventQueue {
    private var heap: ContiguousArray<Event> = []
    private var asked: Int64 = 0

    package init() {}

    package var count: Int { self.heap.count }
    var first: Event? { self.heap.first }

    package mutating func add(
        _ kind: Event.Kind, at: Int64, node: Int = -1, process: Int32 = 0, value: Int = 0
    ) {
        self.asked += 1
        let event = Event(
            at: at, order: self.asked, value: value, process: process, node: Int16(node), kind: kind)
        self.heap.append(event)
        self.heap.withUnsafeMutableBufferPointer { Self.rise(in: $0, from: $0.count - 1) }
    }

    package mutating func popFirst() -> Event? {
        guard let last = self.heap.popLast() else { return nil }
        guard let first = self.heap.first else { return last }
        self.heap.withUnsafeMutableBufferPointer { heap in
            heap[0] = last
            Self.sink(in: heap)
        }
        return first
    }

    private static func rise(in heap: UnsafeMutableBufferPointer<Event>, from start: Int) {
        var index = start
        let event = heap[index]
        while index > 0 {
            let parent = (index - 1) >> 2
            guard Event.isBefore(event, heap[parent]) else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = event
    }

    private static func sink(in heap: UnsafeMutableBufferPointer<Event>) {
        var index = 0
        let event = heap[0]
        let count = heap.count
        while true {
            let child = index << 2 + 1
            guard child < count else { break }
            var least = child
            var next = child + 1
            while next < min(child + 4, count) {
                if Event.isBefore(heap[next], heap[least]) { least = next }
                next += 1
            }
            guard Event.isBefore(heap[least], event) else { break }
            heap[index] = heap[least]
            index = least
        }
        heap[index] = event
    }
}
