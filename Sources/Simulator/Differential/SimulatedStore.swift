package import ClusterModel
package import ClusterPorts

import struct Foundation.Date
import struct Foundation.UUID

/// The simulated database as the ports have it: each call runs its statement to the end while nobody else
/// does anything.
///
/// For comparing it with a real PostgreSQL.
///
/// For one task; nothing here is locked.
package final class SimulatedStore: ClusterStore, @unchecked Sendable {
    let database: Database
    private var nonce: MountNonce?
    private var lastSession = 0
    /// Who has beaten on the line that it has.
    private var beaten: Set<Int64> = []
    private static let joinAttempts = 40

    /// - Parameters:
    ///   - times: the windows that the statements apply.
    ///   - twin: a guard to leave out.
    package init(slots: Int, times: MembershipTimes, twin: Twin? = nil) {
        let windows = StoreTimes(
            chainGap: times.chainGap.wholeNanoseconds / 1_000,
            fastWindow: times.fastWindow.wholeNanoseconds / 1_000,
            slowWindow: times.slowWindow.wholeNanoseconds / 1_000,
            claimWindow: times.claimWindow.wholeNanoseconds / 1_000)
        self.database = Database(time: TrueTime(), slots: slots, times: windows, twin: twin, judge: nil)
    }

    /// Lets time pass.
    ///
    /// What the server knows of its own start moves along, as in a database whose rows are aged.
    package func pass(_ length: Duration) {
        self.database.time.now += length.wholeNanoseconds
        self.database.startedAt += length.wholeNanoseconds / 1_000
    }

    /// Makes a member's chain longer than it is, and its last heartbeat fresh.
    package func trust(_ incarnation: Incarnation, chain: Duration) {
        let members = self.database.tables.members
        for place in members.indices where members[place].incarnation == incarnation.rawValue {
            self.database.tables.members[place].beatAt = self.database.clock
            self.database.tables.members[place].upSince = self.database.clock - chain.wholeNanoseconds / 1_000
        }
    }

    private func nextSession() -> Int {
        self.lastSession += 1
        return self.lastSession
    }

    /// How long ago the server started.
    package func started(ago length: Duration) {
        self.database.startedAt = self.database.clock - length.wholeNanoseconds / 1_000
    }

    /// Another connection holds the incarnation's advisory lock.
    package func hold(_ incarnation: Incarnation) {
        self.database.advisoryLocks[incarnation.rawValue, default: []].append(self.nextSession())
    }

    package func letGo(of incarnation: Incarnation) {
        self.database.advisoryLocks[incarnation.rawValue] = nil
    }

    package func beat(_ pulse: Pulse) -> HeartbeatAnswer {
        let incarnation = pulse.incarnation.rawValue
        let statement = BeatStatement(
            slot: pulse.slot.rawValue, incarnation: incarnation,
            session: self.database.advisoryLocks[incarnation]?.first ?? 0,
            continues: self.beaten.contains(incarnation))
        self.beaten.insert(incarnation)
        guard let run = try? self.run(statement), let news = run.answer else { return .dead }
        return .alive(news)
    }

    /// An account was made or changed.
    package func configured(_ version: ConfigVersion) {
        self.database.tables.cluster.configVersion = version.rawValue
    }

    func run<Kind: Statement>(_ statement: Kind) throws(StoreError) -> Kind {
        self.database.time.now += Span.microsecond
        do throws(StatementRefused) {
            return try self.database.runAlone(statement)
        } catch {
            throw .refused(sqlState: error.sqlState, message: statement.title)
        }
    }

    // MARK: The cluster

    package func facts() throws(StoreError) -> ClusterFacts {
        ClusterFacts(
            cluster: ClusterID(UUID()), mountNonce: self.nonce,
            memberLimit: self.database.tables.cluster.memberLimit,
            schemaVersion: 2, minReaderVersion: 1, cacheKey: [], configVersion: ConfigVersion(0),
            connectionLimit: .max)
    }

    package func recordMount(_ nonce: MountNonce) throws(StoreError) -> MountNonce {
        let recorded = self.nonce ?? nonce
        self.nonce = recorded
        return recorded
    }

    package func nextIncarnation(above floor: Incarnation?) throws(StoreError) -> Incarnation {
        let drawn = try self.run(NextIncarnationStatement(above: floor?.rawValue ?? 0)).incarnation
        guard let incarnation = Incarnation(rawValue: drawn) else { throw .corrupt("\(drawn)") }
        return incarnation
    }

    package func join(_ request: JoinRequest) throws(StoreError) -> JoinAnswer {
        let profile = MemberProfile(
            name: request.name, addresses: request.addresses, version: request.version,
            attributes: request.attributes)
        for attempt in 0..<Self.joinAttempts {
            let statement = JoinStatement(
                incarnation: request.incarnation.rawValue, profile: profile,
                capacity: Int32(request.capacity),
                spread: 1 << min(attempt, 10), schema: request.knownSchema)
            switch try self.run(statement).verdict {
            case .joined(let slot, let name): return .joined(slot: Slot(slot), name: name)
            case .lost: continue
            case .tooOld:
                return .tooOld(minReaderVersion: self.database.tables.cluster.minReaderVersion)
            case .departed: throw .refused(sqlState: "FL002", message: "dead is final")
            case .blocked: throw .refused(sqlState: "FL003", message: "no free name")
            case .nameTaken:
                let holder = try self.view().members.first { $0.name == request.name && $0.status != .dead }
                guard let holder else { continue }
                return .nameTaken(by: holder)
            case .full:
                return .full(
                    limit: self.database.tables.cluster.memberLimit,
                    members: try self.view().members.filter { $0.status != .dead })
            }
        }
        throw .notRun("others joined faster")
    }

    package func view() throws(StoreError) -> ClusterView { ClusterView(try self.run(ViewStatement())) }

    package func takeLead(_ claim: LeadClaim) throws(StoreError) -> Leadership? {
        try self.run(TakeLeadStatement(claim)).taken
    }

    // MARK: Deaths

    package func accuse(_ accusation: Accusation) throws(StoreError) -> Bool {
        try self.run(AccuseStatement(accusation)).killed
    }

    package func accuse(asJoiner accusation: Accusation) throws(StoreError) -> Bool {
        try self.run(JoinerAccuseStatement(accusation)).killed
    }

    package func leave(slot: Slot, incarnation: Incarnation) throws(StoreError) -> Bool {
        try self.run(LeaveStatement(slot: slot.rawValue, incarnation: incarnation.rawValue)).killed
    }

    package func buryAll(reason: String) throws(StoreError) -> Int {
        var count = 0
        for (place, row) in self.database.tables.members.enumerated()
        where row.isLive && !self.database.holdsAdvisoryLock(row.incarnation) {
            count +=
                try self.run(LeaveStatement(slot: Int16(place + 1), incarnation: row.incarnation)).killed
                ? 1 : 0
        }
        return count
    }

    // MARK: Departures

    package func departures(limit: Int) throws(StoreError) -> [Departure] {
        try self.run(DeparturesStatement(limit: limit)).departures.compactMap { row in
            Incarnation(rawValue: row.incarnation).map {
                Departure(
                    incarnation: $0, slot: Slot(row.slot), name: row.name, reason: row.reason,
                    at: Date(timeIntervalSince1970: Double(row.diedAt) / 1e6))
            }
        }
    }

    package func claimDeparture(of departed: Incarnation, by right: NodeRight) throws(StoreError) -> Bool {
        try self.run(
            ClaimDepartureStatement(
                departed.rawValue, slot: right.slot.rawValue, incarnation: right.incarnation.rawValue)
        ).claimed
    }

    package func closeDeparture(of departed: Incarnation, by right: NodeRight) throws(StoreError) {
        _ = try self.run(
            CloseDepartureStatement(
                departed.rawValue, slot: right.slot.rawValue, incarnation: right.incarnation.rawValue))
    }

    /// Nothing is pruned in a simulation: no run lasts a week.
    package func prune(olderThan age: Duration, by leader: LeaderRight) throws(StoreError) -> Int { 0 }
}
