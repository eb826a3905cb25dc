/// Why a call has no answer.
///
/// Nothing here is worth ending a request for where Redis is a cache: `isAbsence` tells the answers "there is
/// no Redis now" from mistakes of the caller.
package enum RedisError: Error, Equatable {
    /// Surely not sent: no connection, or the circuit breaker is open; the text says since what.
    case unavailable(String)
    /// Surely not sent: as many calls as `limit` wait for answers already.
    case overloaded(limit: Int)
    /// Surely not sent: the command is longer than a command may be.
    case commandTooLong(bytes: Int, limit: Int)
    /// May have been done: the answer did not come within the budget of the call.
    case timedOut(Duration)
    /// May have been done: the connection ended while the answer was awaited.
    case connectionLost(String)
    /// May have been done, unless the task had been cancelled before it asked.
    case cancelled
    /// The server refused. `code` is the first word, such as WRONGPASS, NOAUTH, WRONGTYPE or NOSCRIPT.
    case rejected(code: String, message: String)
    /// The server said what the protocol does not allow there; the connection was given up.
    case malformed(String)
    /// The answer has another type than this command's answers have.
    case unexpectedReply(command: String, reply: String)
    /// `run()` has ended.
    case shutDown

    /// Whether the caller may go on as if there were no Redis.
    package var isAbsence: Bool {
        switch self {
        case .unavailable, .overloaded, .timedOut, .connectionLost, .malformed, .shutDown: true
        case .rejected(let code, _): Self.codesOfAbsence.contains(code)
        case .commandTooLong, .cancelled, .unexpectedReply: false
        }
    }

    /// Refusals that say how the server is and not what is wrong with the command.
    private static let codesOfAbsence: Set<String> = [
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY",
        "TRYAGAIN",
    ]
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unavailable(let why): "Redis is not available: \(why)"
        case .overloaded(let limit): "Redis was not asked: \(limit) calls wait for it already"
        case .commandTooLong(let bytes, let limit):
            "the command has \(bytes) bytes, more than the limit of \(limit)"
        case .timedOut(let budget): "Redis did not answer within \(budget)"
        case .connectionLost(let why): "the connection to Redis was lost: \(why)"
        case .cancelled: "the call to Redis was cancelled"
        case .rejected(let code, let message): "Redis refused: \(code) \(message)"
        case .malformed(let what): "Redis broke the protocol: \(what)"
        case .unexpectedReply(let command, let reply): "Redis answered \(command) with \(reply)"
        case .shutDown: "the Redis client was shut down"
        }
    }

    /// What a refusal text such as `WRONGTYPE Operation against a key` says.
    init(refusal text: String) {
        let words = text.split(separator: " ", maxSplits: 1)
        self = .rejected(
            code: words.first.map(String.init) ?? "ERR", message: words.count > 1 ? String(words[1]) : "")
    }
}
