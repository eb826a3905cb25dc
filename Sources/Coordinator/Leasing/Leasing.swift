package import ClusterModel

/// Decides what one incarnation asks the store about leases, one statement at a time (group commit).
///
/// Whoever comes while nothing is in flight goes at once; the others go together in the next statement. Acquires and
/// ends take turns, so one node has one shared lock on its member's row, and no more statements than two
/// connections would need (decision 0016). A lost answer is resolved by reading (R2), never by trying again.
///
/// The performer calls ``next(at:)`` after each input, runs the order, and says what came of it.
package struct Leasing: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Goes to `stopping` or `dead`.
        case open
        /// Ends what it holds, takes no requests. Goes to `dead`.
        case stopping
        /// The incarnation lives no more: nothing is held. Goes nowhere.
        case dead
    }

    package let right: NodeRight
    package internal(set) var state: State = .open
    package internal(set) var table = LeaseTable()
    let limits: Limits
    var asking: [Asked] = []
    var endings: [Ending] = []
    /// Tickets whose owners wait no more.
    var abandoned: Set<Ticket> = []
    var inFlight: InFlight?
    var grantDoubts: [LeaseSubject: GrantDoubt] = [:]
    var endDoubts: [Ending] = []
    var readAt: ClusterInstant?
    var endsAt: ClusterInstant?
    var lossesAt: ClusterInstant?
    /// The last one that was read of those for whom nobody waits.
    var lookedTo: LeaseSubject?
    var pause: Duration
    /// How many go together at most: halved by a circle, doubled by an answer.
    var width: Int
    var wasEnd = false
    var wasReading = false
    /// How many losses were announced by a heartbeat, and how many of them are known.
    var lossesAnnounced: Int64 = 0
    var lossesKnown: Int64 = 0

    package init(right: NodeRight, limits: Limits = .standard) {
        self.right = right
        self.limits = limits
        self.width = limits.batch
        self.pause = limits.pauseMin
    }

    // MARK: What callers want

    package enum OnAsked: Sendable, Equatable {
        /// A reply comes later.
        case waits
        /// The queue is full, or the node holds as many leases as it may.
        case refused
        case stopping
        case fenced
    }

    package mutating func asked(_ request: LeaseRequest, ticket: Ticket) -> OnAsked {
        switch self.state {
        case .dead: return .fenced
        case .stopping: return .stopping
        case .open:
            guard self.asking.count < self.limits.waiting, self.table.count < self.limits.held else {
                return .refused
            }
            self.asking.append(Asked(ticket: ticket, request: request))
            return .waits
        }
    }

    /// Whoever has this ticket waits no more: a grant that still comes is given back.
    package mutating func abandoned(_ ticket: Ticket) {
        if let index = self.asking.firstIndex(where: { $0.ticket == ticket }) {
            self.asking.remove(at: index)
        } else if let index = self.endings.firstIndex(where: { $0.ticket == ticket }) {
            self.endings[index].ticket = nil
        } else {
            self.abandoned.insert(ticket)
        }
    }

    package enum OnEnding: Sendable, Equatable {
        /// A reply comes later, if there is a ticket.
        case waits
        /// It is not held: lost before, or being ended.
        case lost
    }

    /// - Parameter ticket: nil when nobody waits for the answer.
    package mutating func ending(_ title: LeaseTitle, ticket: Ticket?, at now: ClusterInstant) -> OnEnding {
        guard self.table.ending(title) else { return .lost }
        self.endings.append(Ending(title: title, ticket: ticket, since: now))
        return .waits
    }

    /// The holder's own statement has deleted the row.
    package mutating func wasEnded(_ title: LeaseTitle) { self.table.gone(title) }

    /// Ends all that is held, and takes no requests any more.
    package mutating func stopped(at now: ClusterInstant) -> Result {
        guard self.state == .open else { return Result() }
        self.state = .stopping
        let replies = self.asking.map { Reply(ticket: $0.ticket, outcome: .stopping) }
        self.asking = []
        for title in self.table.titles { _ = self.ending(title, ticket: nil, at: now) }
        return Result(replies: replies)
    }

    /// Nothing waits and nothing is in flight: after ``stopped(at:)`` the node may leave.
    package var isIdle: Bool {
        self.inFlight == nil && self.asking.isEmpty && self.endings.isEmpty && self.endDoubts.isEmpty
    }

    /// The incarnation lives no more; whoever waits is told, and all that was held is lost.
    package mutating func died() -> Result {
        guard self.state != .dead else { return Result() }
        self.state = .dead
        var result = Result(lost: self.table.goneAll())
        var asked = self.asking + self.grantDoubts.values.compactMap(\.asked)
        let endings = self.endings + self.endDoubts
        switch self.inFlight {
        case .acquire(let entries, _): asked += entries
        case .end(let entries):
            // Whether it was before the death, nobody knows.
            for ticket in entries.compactMap(\.ticket) { self.reply(ticket, .unknown, &result) }
        case .read, .readLosses, nil: break
        }
        for entry in asked { self.reply(entry.ticket, .denied(.fenced), &result) }
        for entry in endings {
            guard let ticket = entry.ticket else { continue }
            self.reply(ticket, entry.isDoubtful ? .unknown : .ended(false), &result)
        }
        self.inFlight = nil
        self.asking = []
        self.endings = []
        self.grantDoubts = [:]
        self.endDoubts = []
        self.abandoned = []
        return result
    }

    /// A heartbeat's answer said how many leases were taken away in all.
    package mutating func lossesAnnounced(_ count: Int64) {
        self.lossesAnnounced = max(self.lossesAnnounced, count)
    }

    mutating func reply(_ ticket: Ticket, _ outcome: Outcome, _ result: inout Result) {
        guard self.abandoned.remove(ticket) == nil else { return }
        result.replies.append(Reply(ticket: ticket, outcome: outcome))
    }
}
