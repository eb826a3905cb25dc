/// Decides which statements a session keeps prepared: at most `limit`, the least recently used leave.
package struct StatementCache {
    package struct Key: Hashable, Sendable {
        var sql: String
        var types: [PostgresType]

        package init(_ statement: PostgresStatement) {
            self.sql = statement.sql
            self.types = statement.parameters.entries.map(\.type)
        }
    }

    private struct Entry {
        var name: String
        var isReady = false
        var lastUse: UInt64
    }

    package enum Use: Equatable {
        /// It is on the server under this name.
        case prepared(name: String)
        /// Prepare it under this name now; where a name to drop is given, drop that one.
        case prepare(name: String, drop: String?)
        /// It is just being prepared, and might still fail: send this one without.
        case unprepared
    }

    let limit: Int
    private var entries: [Key: Entry] = [:]
    private var uses: UInt64 = 0
    private var lastName = 0

    package init(limit: Int) { self.limit = limit }

    package var count: Int { self.entries.count }

    package mutating func use(_ key: Key) -> Use {
        guard self.limit > 0 else { return .unprepared }
        self.uses += 1
        if let index = self.entries.index(forKey: key) {
            self.entries.values[index].lastUse = self.uses
            let entry = self.entries.values[index]
            return entry.isReady ? .prepared(name: entry.name) : .unprepared
        }
        let drop = self.makeRoom()
        self.lastName += 1
        let name = "s\(self.lastName)"
        self.entries[key] = Entry(name: name, lastUse: self.uses)
        return .prepare(name: name, drop: drop)
    }

    /// The server has it now.
    package mutating func prepared(_ key: Key) { self.entries[key]?.isReady = true }

    /// The server refused it, or its plan is void.
    ///
    /// - Returns: the name to drop, if the server has it.
    package mutating func forget(_ key: Key) -> String? {
        guard let entry = self.entries.removeValue(forKey: key), entry.isReady else { return nil }
        return entry.name
    }

    /// Those being prepared stay, because their answers are on the way; so the limit may be passed for a moment.
    private mutating func makeRoom() -> String? {
        guard self.entries.count >= self.limit else { return nil }
        let oldest = self.entries.filter(\.value.isReady).min { $0.value.lastUse < $1.value.lastUse }
        return oldest.flatMap { self.forget($0.key) }
    }
}
