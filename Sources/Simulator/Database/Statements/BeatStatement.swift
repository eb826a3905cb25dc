import ClusterModel

/// The heartbeat: `HeartbeatStatement.beat` of PostgresStore.
final class BeatStatement: Statement {
    let slot: Int16
    let incarnation: Int64
    /// The session on which it runs.
    let line: Int
    /// Not the first one on its line: that one starts a new chain.
    let continues: Bool
    private var snapshot: Tables?
    private(set) var answer: HeartbeatNews?

    init(slot: Int16, incarnation: Int64, session: Int, continues: Bool) {
        self.slot = slot
        self.incarnation = incarnation
        self.line = session
        self.continues = continues
    }

    override var title: String { "heartbeat" }

    override func advance(_ database: Database) -> Advance {
        switch self.stage {
        case 0:
            self.snapshot = database.tables
            self.stage = 1
            return .more
        case 1:
            guard let seen = self.snapshot?.member(self.slot, self.incarnation),
                seen.isLive || database.twin == .deadHeartRevives
            else { return .committed }
            guard self.lock(.member(self.slot), .noKeyUpdate, in: database) else { return .wait }
            self.stage = 2
            return .more
        default:
            guard let snapshot = self.snapshot else { return .committed }
            self.snapshot = nil
            self.answer = database.beat(
                self.slot, self.incarnation, on: self.line, continues: self.continues,
                listing: snapshot)
            return .committed
        }
    }
}

extension Database {
    /// The write of a heartbeat and its answer; nil: no live row.
    ///
    /// - Parameter snapshot: what the answer lists of the others; nil where nothing can have changed since the
    ///   statement began.
    func beat(
        _ slot: Int16, _ incarnation: Int64, on session: Int, continues: Bool,
        listing snapshot: Tables? = nil
    ) -> HeartbeatNews? {
        let place = Int(slot) - 1
        guard self.tables.members.indices.contains(place),
            self.tables.members[place].incarnation == incarnation
        else { return nil }
        guard self.tables.members[place].isLive else {
            guard self.twin == .deadHeartRevives, self.tables.members[place].status == .dead else {
                return nil
            }
            self.tables.members[place].status = .active
            self.judge?.revived(slot: slot, incarnation: incarnation)
            return nil
        }
        let unbroken = self.writeBeat(place, continues: continues)
        self.tables.members[place].beatSession = session
        self.judge?.beat(place: place, incarnation: incarnation)
        return self.news(place, unbroken: unbroken, snapshot: snapshot)
    }

    private func writeBeat(_ place: Int, continues: Bool) -> Bool {
        let now = self.clock
        if self.unsynced.count >= 256 { self.unsynced.removeFirst(128) }
        self.unsynced.append(
            UnsyncedBeat(slot: Int16(place + 1), at: self.time.now, before: self.tables.members[place]))
        let gap = now - self.tables.members[place].beatAt
        let unbroken = (continues || self.twin == .chainNeverBreaks) && gap >= 0 && gap <= self.times.chainGap
        self.tables.members[place].heartbeats += 1
        self.tables.members[place].beatAt = now
        if unbroken {
            self.tables.members[place].chain += 1
        } else {
            self.tables.members[place].upSince = now
            self.tables.members[place].chain = 0
        }
        return unbroken
    }

    private func news(_ place: Int, unbroken: Bool, snapshot: Tables?) -> HeartbeatNews {
        let status: MemberStatus = self.tables.members[place].status == .draining ? .draining : .active
        let own = self.tables.members[place].heartbeats
        let lost =
            self.tables.losses.isEmpty ? nil : self.tables.losses[self.tables.members[place].incarnation]
        let losses = Int64(lost?.count ?? 0)
        var observed: [ObservedHeartbeat] = []
        let cluster: ClusterRow
        let sweepDue: Bool
        if let snapshot {
            observed = Self.observed(snapshot.members, own: place, heartbeats: own)
            cluster = snapshot.cluster
            sweepDue = snapshot.openDepartures > 0
        } else {
            observed = Self.observed(self.tables.members, own: place, heartbeats: own)
            cluster = self.tables.cluster
            sweepDue = self.tables.openDepartures > 0
        }
        return HeartbeatNews(
            status: status, chainUnbroken: unbroken, viewVersion: cluster.viewVersion,
            configVersion: ConfigVersion(cluster.configVersion), sweepDue: sweepDue, observed: observed,
            leaseLosses: losses, jobNews: self.tables.jobs.news, shardNews: cluster.shardVersion)
    }

    private static func observed(
        _ members: ContiguousArray<MemberRow>, own: Int, heartbeats: Int64
    ) -> [ObservedHeartbeat] {
        var observed: [ObservedHeartbeat] = []
        observed.reserveCapacity(members.count)
        members.withUnsafeBufferPointer { members in
            for index in members.indices where members[index].isLive {
                guard let incarnation = Incarnation(rawValue: members[index].incarnation) else { continue }
                observed.append(
                    ObservedHeartbeat(
                        slot: Slot(Int16(index + 1)), incarnation: incarnation,
                        heartbeats: index == own ? heartbeats : members[index].heartbeats))
            }
        }
        return observed
    }
}
