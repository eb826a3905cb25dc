/// Why a connection of a pool was closed.
package enum PostgresCloseReason: String, Sendable, Hashable, CaseIterable {
    /// The server or the network ended it.
    case lost
    /// It said nothing although statements were overdue.
    case stalled
    /// It had reached its maximum age.
    case aged
    /// Its server could only be read.
    case readOnly
    /// The pool came to its end.
    case stopped
}

/// A lane, or all of a pool, at one instant; the totals count from its start.
package struct PostgresPoolStatistics: Sendable, Equatable {
    package var connections = 0
    /// Connections that take statements now.
    package var ready = 0
    /// Statements that were sent and not answered.
    package var inFlight = 0
    /// Statements that wait for a place.
    package var waiting = 0

    /// Statements that were given to the server.
    package var sentTotal = 0
    /// Statements whose callers got their rows.
    package var servedTotal = 0
    /// Refused by the server with an SQLSTATE.
    package var failedTotal = 0
    /// Ended as `mayHaveRun`.
    package var unknownTotal = 0
    /// Ended as `didNotRun`.
    package var notRunTotal = 0
    /// Statements that had to wait for a place and got one; those that were sent at once are not among them.
    package var waitedTotal = 0
    /// The time that all of these waited, together.
    package var waitTimeTotal: Duration = .zero
    package var waitTimeMax: Duration = .zero

    /// Connections opened.
    package var connectedTotal = 0
    /// Attempts to connect that went through all hosts in vain.
    package var connectFailedTotal = 0
    package var closedTotal: [PostgresCloseReason: Int] = [:]
    /// Trials of silent connections.
    package var probedTotal = 0

    package init() {}

    /// Connections that ended although the pool wanted to keep them.
    package var lostTotal: Int {
        self.closedTotal[.lost, default: 0] + self.closedTotal[.stalled, default: 0]
    }

    mutating func noteWait(_ time: Duration) {
        self.waitedTotal += 1
        self.waitTimeTotal += time
        self.waitTimeMax = max(self.waitTimeMax, time)
    }

    static func += (sum: inout PostgresPoolStatistics, one: PostgresPoolStatistics) {
        sum.connections += one.connections
        sum.ready += one.ready
        sum.inFlight += one.inFlight
        sum.waiting += one.waiting
        sum.sentTotal += one.sentTotal
        sum.servedTotal += one.servedTotal
        sum.failedTotal += one.failedTotal
        sum.unknownTotal += one.unknownTotal
        sum.notRunTotal += one.notRunTotal
        sum.waitedTotal += one.waitedTotal
        sum.waitTimeTotal += one.waitTimeTotal
        sum.waitTimeMax = max(sum.waitTimeMax, one.waitTimeMax)
        sum.connectedTotal += one.connectedTotal
        sum.connectFailedTotal += one.connectFailedTotal
        sum.closedTotal.merge(one.closedTotal) { $0 + $1 }
        sum.probedTotal += one.probedTotal
    }
}
