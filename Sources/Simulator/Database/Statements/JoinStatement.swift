import ClusterModel

/// One attempt to take a slot: `PostgresStore.join`'s statement.
final class JoinStatement: Statement {
    enum Verdict: Equatable {
        case joined(slot: Int16, name: NodeName)
        /// Somebody else was faster; try again.
        case lost
        case nameTaken
        case blocked
        case full
        case departed
        /// The schema is for newer programs only.
        case tooOld
    }

    let incarnation: Int64
    let profile: MemberProfile
    let capacity: Int32
    let spread: Int
    /// The newest schema that the joiner's program knows.
    let schema: Int
    private(set) var verdict: Verdict = .lost
    private var chosen: Place?
    private(set) var superseded: Int64?

    private struct Place {
        var slot: Int16
        var was: MemberRow
        var name: NodeName
    }

    init(incarnation: Int64, profile: MemberProfile, capacity: Int32, spread: Int, schema: Int) {
        self.incarnation = incarnation
        self.profile = profile
        self.capacity = capacity
        self.spread = spread
        self.schema = schema
    }

    override var title: String { "join" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            // All reads come from the snapshot, so they are one step.
            self.verdict = self.gate(database)
            guard self.chosen != nil else { return .committed }
            self.stage = 1
            return .more
        case 1:
            guard let chosen = self.chosen else { return .committed }
            // Changes key columns, so it is the strongest lock; a new row is an insert into the slot's index.
            guard self.lock(.member(chosen.slot), .update, in: database) else { return .wait }
            let row = database.tables.members[Int(chosen.slot) - 1]
            guard row.incarnation == chosen.was.incarnation, !row.isLive else { return .committed }
            self.stage = 2
            return .more
        case 2:
            guard let chosen = self.chosen else { return .committed }
            guard self.lock(.memberName(chosen.name), .update, in: database) else { return .wait }
            for (index, other) in database.tables.members.enumerated()
            where other.name == chosen.name && index + 1 != Int(chosen.slot) {
                return chosen.was.status == .absent ? .committed : .failed("23505")
            }
            self.stage = 3
            return .more
        case 3:
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 4
            return .more
        default:
            self.join(database)
            return .committed
        }
    }

    private func gate(_ database: Database) -> Verdict {
        let tables = database.tables
        let places = self.places(tables)
        if let slot = tables.livingSlot(of: self.incarnation), let name = tables.members[Int(slot) - 1].name {
            return .joined(slot: slot, name: name)
        }
        if tables.cluster.minReaderVersion > self.schema, database.twin != .readerUnchecked { return .tooOld }
        if tables.departure(self.incarnation) != nil { return .departed }
        if let name = self.profile.name, tables.members.contains(where: { $0.isLive && $0.name == name }) {
            return .nameTaken
        }
        let free = places.filter { place in
            !tables.members.enumerated().contains {
                $0.element.name == place.name && $0.offset + 1 != Int(place.slot)
            }
        }
        guard !free.isEmpty else { return places.isEmpty ? .full : .blocked }
        let ordered =
            self.profile.name == nil
            ? free : free.filter { $0.was.status == .absent } + free.filter { $0.was.status != .absent }
        self.chosen = ordered[Int(self.incarnation % Int64(min(ordered.count, self.spread)))]
        return .lost
    }

    private func places(_ tables: Tables) -> [Place] {
        var places: [Place] = []
        for index in 0..<min(tables.members.count, tables.cluster.memberLimit) {
            let row = tables.members[index]
            guard !row.isLive, let name = self.profile.name ?? NodeName("worker-\(index + 1)") else {
                continue
            }
            places.append(Place(slot: Int16(index + 1), was: row, name: name))
        }
        return places
    }

    private func join(_ database: Database) {
        guard let chosen = self.chosen else { return }
        let now = database.clock
        if chosen.was.status != .absent, let name = chosen.was.name {
            database.tables.depart(
                DepartedRow(
                    incarnation: chosen.was.incarnation, slot: chosen.slot, name: name, reason: "superseded",
                    diedAt: now))
        }
        database.tables.members[Int(chosen.slot) - 1] = MemberRow(
            status: .active, incarnation: self.incarnation, heartbeats: 0, beatAt: now, upSince: now,
            chain: 0,
            joinedAt: now, diedAt: 0, capacity: self.capacity,
            profile: database.keep(
                MemberProfile(
                    name: chosen.name, addresses: self.profile.addresses, version: self.profile.version,
                    attributes: self.profile.attributes)))
        database.tables.cluster.viewVersion += 1
        database.synced()
        self.verdict = .joined(slot: chosen.slot, name: chosen.name)
        database.judge?.joined(slot: chosen.slot, incarnation: self.incarnation)
        database.judge?.reads(
            self.schema, of: self.incarnation, since: self.startedAt, database.tables.cluster)
    }
}
