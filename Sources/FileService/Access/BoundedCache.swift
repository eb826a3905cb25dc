/// Keeps the entries that were used last, up to a bound.
///
/// When it is full the older half goes at once, so that a lookup costs one dictionary access and no list.
package struct BoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var entries: [Key: (value: Value, usedAt: UInt64)] = [:]
    private var clock: UInt64 = 0
    package let limit: Int

    package init(limit: Int) { self.limit = max(2, limit) }

    package var count: Int { self.entries.count }

    package mutating func value(_ key: Key) -> Value? {
        guard let found = self.entries[key] else { return nil }
        self.clock += 1
        self.entries[key] = (found.value, self.clock)
        return found.value
    }

    package mutating func keep(_ value: Value, for key: Key) {
        self.clock += 1
        self.entries[key] = (value, self.clock)
        guard self.entries.count > self.limit else { return }
        let times = self.entries.values.map(\.usedAt).sorted()
        let middle = times[times.count / 2]
        self.entries = self.entries.filter { $0.value.usedAt >= middle }
    }

    package mutating func forget(_ key: Key) { self.entries[key] = nil }
    package mutating func forgetAll() { self.entries = [:] }
}
