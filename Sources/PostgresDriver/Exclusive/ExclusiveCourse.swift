/// Decides who may use a connection that stands for itself, and when a cancellation is over.
///
/// A cancellation takes its own way to the server, so it can come late and hit whatever runs then. That is
/// kept harmless by two rules: it leaves only while everything in flight has been given up, and nothing new
/// is sent before it has been carried out and all that was given up is answered.
package struct ExclusiveCourse: Sendable, Equatable {
    package enum Use: Sendable, Equatable {
        /// Statements share the pipeline. Goes to `lent` or `settling`.
        case shared
        /// A stream or a COPY has the connection for itself. Goes to `shared` or `settling`.
        case lent
        /// What was in flight has been given up. Goes to `shared`.
        case settling(isCancelOver: Bool, isAnswered: Bool)
    }

    package enum Wish: Sendable { case statement, script, work }

    /// What is on the connection now.
    package struct Load: Sendable {
        /// Sent and not answered yet, whether anybody waits or not.
        package var inFlight: Int
        /// Those of them that somebody waits for.
        package var live: Int
        package var waiting: Int
        package var isScriptRunning: Bool

        package init(inFlight: Int = 0, live: Int = 0, waiting: Int = 0, isScriptRunning: Bool = false) {
            self.inFlight = inFlight
            self.live = live
            self.waiting = waiting
            self.isScriptRunning = isScriptRunning
        }
    }

    package enum OnGiven: Sendable, Equatable {
        case send
        /// Its turn comes without anybody's doing.
        case wait
        case refuse(PostgresError.NotRunReason)
    }

    package enum OnChange: Sendable, Equatable {
        case none
        /// Ask the server to end what it does.
        case cancel
        /// Ask it once more in a moment: the request may have overtaken the statement that it was for.
        case cancelAgainSoon
        /// Those who wait may go on.
        case goOn
    }

    package private(set) var use = Use.shared
    private let limit: Int

    /// - Parameter limit: statements in flight, and statements that wait.
    package init(limit: Int) { self.limit = limit }

    package func given(_ wish: Wish, load: Load) -> OnGiven {
        switch self.use {
        case .settling:
            return load.waiting < self.limit ? .wait : .refuse(.queueFull)
        case .lent:
            return .refuse(.invalid("the connection is busy with a stream or a COPY"))
        case .shared:
            if load.isScriptRunning { return .refuse(.invalid("a script needs the connection for itself")) }
            guard wish == .statement else { return self.givenAlone(wish, load: load) }
            guard load.waiting < self.limit, load.inFlight < self.limit else { return .refuse(.queueFull) }
            return load.waiting > 0 ? .wait : .send
        }
    }

    private func givenAlone(_ wish: Wish, load: Load) -> OnGiven {
        guard load.live == 0 else {
            let what = wish == .script ? "a script" : "a stream or a COPY"
            return .refuse(.invalid("\(what) needs the connection for itself"))
        }
        guard load.inFlight > 0 || load.waiting > 0 else { return .send }
        return load.waiting < self.limit ? .wait : .refuse(.queueFull)
    }

    /// A work got the connection.
    package mutating func lent() { self.use = .lent }

    /// Nobody waits any more for anything that is in flight.
    package mutating func allGivenUp() -> OnChange {
        guard self.use == .shared || self.use == .lent else { return .none }
        self.use = .settling(isCancelOver: false, isAnswered: false)
        return .cancel
    }

    /// Nobody waits any more, but a cancellation would do harm: wait for the answer.
    package mutating func givenUpWithoutCancel() {
        self.use = .settling(isCancelOver: true, isAnswered: false)
    }

    /// The server has carried out the request, or did not get it.
    package mutating func cancelEnded() -> OnChange {
        guard case .settling(_, let isAnswered) = self.use else { return .none }
        if isAnswered {
            self.use = .shared
            return .goOn
        }
        self.use = .settling(isCancelOver: true, isAnswered: false)
        return .cancelAgainSoon
    }

    /// Some time after `cancelAgainSoon`.
    package mutating func cancelIsDueAgain() -> OnChange {
        guard case .settling(true, false) = self.use else { return .none }
        self.use = .settling(isCancelOver: false, isAnswered: false)
        return .cancel
    }

    /// The server has answered one statement, or is done with the work.
    package mutating func answered(isIdle: Bool) -> OnChange {
        switch self.use {
        case .shared:
            return isIdle ? .goOn : .none
        case .lent:
            self.use = .shared
            return .goOn
        case .settling(let isCancelOver, _):
            guard isIdle else { return .none }
            guard isCancelOver else {
                self.use = .settling(isCancelOver: false, isAnswered: true)
                return .none
            }
            self.use = .shared
            return .goOn
        }
    }
}
