import PostgresDriver
import RedisDriver

/// One thing that the drivers must survive without leaving anything behind.
struct Exercise: Sendable {
    let name: String
    let run: @Sendable (Surroundings) async throws -> Void

    init(_ name: String, _ run: @escaping @Sendable (Surroundings) async throws -> Void) {
        self.name = name
        self.run = run
    }

    static let all =
        PoolExercises.all + ConnectionExercises.all + StreamExercises.all + CallExercises.all
        + RedisFaultExercises.all

    /// All of these must have happened in a run.
    static let outcomes = Outcome.allCases
}

extension Tally {
    /// Runs a request and counts how it ended; every way is fine, only what it leaves behind matters.
    func count(_ outcome: Outcome = .rowsRead, _ request: () async throws -> Void) async {
        do {
            try await request()
            self.note(outcome)
        } catch let error as PostgresError {
            self.note(error)
        } catch let error as RedisError {
            self.note(error)
        } catch {
            // Cancellation of what is not a request.
        }
    }

    private func note(_ error: PostgresError) {
        switch error {
        case .failed: self.note(.refusedByPostgres)
        case .unreadable: self.note(.unreadable)
        case .didNotRun(.cancelled): self.note(.cancelledBeforeSent)
        case .mayHaveRun(.cancelled): self.note(.cancelledInFlight)
        case .didNotRun(.deadline): self.note(.lateWaiting)
        case .mayHaveRun(.deadline): self.note(.lateInFlight)
        case .mayHaveRun(.connectionLost): self.note(.backendLost)
        case .didNotRun(.notConnected): self.note(.notConnected)
        case .didNotRun(.closed): self.note(.poolClosed)
        case .didNotRun: break
        }
    }

    private func note(_ error: RedisError) {
        switch error {
        case .rejected: self.note(.refusedByRedis)
        case .cancelled: self.note(.redisCancelled)
        case .timedOut: self.note(.redisLate)
        case .connectionLost: self.note(.redisLost)
        case .unavailable: self.note(.redisAbsent)
        case .shutDown: self.note(.redisShutDown)
        case .overloaded, .commandTooLong, .malformed, .unexpectedReply: break
        }
    }
}
