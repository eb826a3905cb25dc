package import ClusterModel

/// Decides in which order what the dead left is cleared: what could not be cleared waits for what has not been tried, and
/// then takes its turn with the others that could not.
package struct ClearingOrder: Sendable, Equatable {
    /// By the number of the attempt; no more than were due at a time.
    private var setBack: [Incarnation: UInt64] = [:]
    private var attempts: UInt64 = 0

    package init() {}

    /// Forgets those that are not due any more.
    package mutating func order(_ due: [Incarnation]) -> [Incarnation] {
        let asked = Set(due)
        self.setBack = self.setBack.filter { asked.contains($0.key) }
        let late = self.setBack.sorted { $0.value < $1.value }.map(\.key)
        return due.filter { self.setBack[$0] == nil } + late
    }

    /// It was tried, and something is left.
    package mutating func couldNotClear(_ incarnation: Incarnation) {
        self.attempts += 1
        self.setBack[incarnation] = self.attempts
    }

    package mutating func cleared(_ incarnation: Incarnation) { self.setBack[incarnation] = nil }
}
