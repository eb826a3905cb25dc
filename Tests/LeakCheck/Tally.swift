import Synchronization

/// Counts how things ended, so that nobody believes a check whose faults never happened.
final class Tally: Sendable, CustomStringConvertible {
    private let counts = Mutex<[Outcome: Int]>([:])

    func note(_ outcome: Outcome) { self.counts.withLock { $0[outcome, default: 0] += 1 } }

    func requireAll(_ wanted: [Outcome]) throws {
        let missing = self.counts.withLock { counts in wanted.filter { counts[$0, default: 0] == 0 } }
        guard missing.isEmpty else {
            let names = missing.map(\.rawValue).joined(separator: ", ")
            throw LeakCheckFailure("these never happened, so nothing is proven about them: \(names)")
        }
    }

    var description: String {
        self.counts.withLock { counts in
            Outcome.allCases.map { "\($0.rawValue) \(counts[$0, default: 0])" }.joined(separator: ", ")
        }
    }
}

/// How one request to a driver ended.
enum Outcome: String, CaseIterable {
    case rowsRead = "rows read"
    case refusedByPostgres = "refused by PostgreSQL"
    case unreadable = "unreadable"
    case cancelledBeforeSent = "cancelled before it was sent"
    case cancelledInFlight = "cancelled in flight"
    case lateWaiting = "deadline while waiting"
    case lateInFlight = "deadline in flight"
    case backendLost = "lost its backend"
    case notConnected = "no connection"
    case poolClosed = "pool closed"
    case rolledBack = "rolled back"
    case streamed
    case heard = "notifications heard"
    case repliesRead = "Redis replies read"
    case refusedByRedis = "refused by Redis"
    case redisCancelled = "Redis call cancelled"
    case redisLate = "Redis budget used up"
    case redisLost = "lost its Redis connection"
    case redisAbsent = "Redis absent"
    case redisShutDown = "Redis client shut down"
    case messages = "messages read"
}
