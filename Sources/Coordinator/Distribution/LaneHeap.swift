import ClusterModel

/// Lanes in the order of their turns: a binary heap, so that a deal of a thousand jobs looks at few lanes for each.
struct LaneHeap {
    struct Place {
        var paidIn: Double
        var lastTurn: UInt64
        var candidate: Fairness.Candidate
    }

    private var places: [Place]

    init(_ places: [Place]) {
        // What is sorted is a heap.
        self.places = places.sorted(by: Self.isBefore)
    }

    private static func isBefore(_ left: Place, _ right: Place) -> Bool {
        if left.paidIn != right.paidIn { return left.paidIn < right.paidIn }
        if left.lastTurn != right.lastTurn { return left.lastTurn < right.lastTurn }
        if left.candidate.affinity != right.candidate.affinity {
            return left.candidate.affinity < right.candidate.affinity
        }
        return left.candidate.lane < right.candidate.lane
    }

    mutating func insert(_ place: Place) {
        self.places.append(place)
        var child = self.places.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Self.isBefore(self.places[child], self.places[parent]) else { return }
            self.places.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> Fairness.Candidate? {
        guard let first = self.places.first else { return nil }
        let last = self.places.removeLast()
        if !self.places.isEmpty {
            self.places[0] = last
            self.sink()
        }
        return first.candidate
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < self.places.count && Self.isBefore(self.places[child], self.places[least]) {
                least = child
            }
            guard least != parent else { return }
            self.places.swapAt(parent, least)
            parent = least
        }
    }
}
