/// Decides how a connection goes on when a request was answered before its body had been read.
///
/// Such a request's body is drained, so that the client gets to read the answer instead of a reset, but only
/// up to a bound; then the connection is closed. Performs no I/O and reads no clock.
package struct ConnectionCourse: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        /// Goes to `draining` or `closing`.
        case open
        /// The answer is out, the rest of the body is dropped. Goes to `closing`.
        case draining(left: Int)
        /// The connection ends; nothing matters any more.
        case closing
    }
    package private(set) var state: State = .open
    /// Requests whose head was read and whose answer has not ended.
    private var unanswered = 0
    /// Whether the end of the last request's body is still to come.
    private var bodyOpen = false
    /// Whether the client said that the last request is the last one.
    private var clientCloses = false
    /// Whether the node stops, so that the last answer in hand is the last one.
    private var isStopping = false
    /// Whether the answer that is being written says `Connection: close`.
    private var closesAfterAnswer = false
    private let drainBytes: Int

    package init(drainBytes: Int) { self.drainBytes = drainBytes }

    package enum OnRead: Sendable, Equatable {
        case forward, drop, close
    }

    /// - Parameter asksToClose: The client wants no further request on this connection.
    package mutating func headRead(asksToClose: Bool = false) -> OnRead {
        guard self.state == .open else { return .drop }
        self.clientCloses = asksToClose
        self.unanswered += 1
        self.bodyOpen = true
        return .forward
    }

    package mutating func bodyRead(bytes: Int) -> OnRead {
        switch self.state {
        case .open: return .forward
        case .draining(let left) where bytes <= left:
            self.state = .draining(left: left - bytes)
            return .drop
        case .draining:
            self.state = .closing
            return .close
        case .closing: return .drop
        }
    }

    package mutating func endRead() -> OnRead {
        self.bodyOpen = false
        switch self.state {
        case .open: return .forward
        case .draining:
            self.state = .closing
            return .close
        case .closing: return .drop
        }
    }

    /// Answers whether the head of the answer has to say `Connection: close`.
    package mutating func answerBegins(asksToClose: Bool) -> Bool {
        // The answer belongs to the request being read only if no other one is waiting for its own.
        self.closesAfterAnswer =
            asksToClose
            || ((self.bodyOpen || self.clientCloses || self.isStopping) && self.unanswered == 1)
        return self.closesAfterAnswer
    }

    package enum OnAnswered: Sendable, Equatable {
        case goOn, drain, close
    }

    package mutating func answerEnded() -> OnAnswered {
        self.unanswered -= 1
        let isLast = self.closesAfterAnswer || (self.isStopping && self.unanswered == 0)
        guard self.state == .open, isLast else { return .goOn }
        if self.bodyOpen && self.unanswered == 0 {
            self.state = .draining(left: self.drainBytes)
            return .drain
        }
        self.state = .closing
        return .close
    }

    /// Notes that the node stops, and answers whether the connection may end now.
    package mutating func stops() -> OnAnswered {
        self.isStopping = true
        guard self.state == .open, self.unanswered == 0 else { return .goOn }
        self.state = .closing
        return .close
    }

    /// Notes that the client sends no more, and answers whether that cuts a body off.
    package mutating func inputEnded() -> Bool {
        let cut = self.bodyOpen && self.state == .open
        self.bodyOpen = false
        return cut
    }
}
