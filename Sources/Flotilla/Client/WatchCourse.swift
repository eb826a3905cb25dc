/// Decides how a watch goes on when its stream ends: from the last event on, with pauses that grow to a bound.
///
/// Performs no I/O and reads no clock.
package struct WatchCourse: Sendable, Equatable {
    /// What ended a stream, or kept it from beginning.
    package enum End: Sendable, Equatable {
        /// The connection broke, or the node ended the stream.
        case broken
        /// Nobody answers there.
        case unreachable
        /// The node refused, with this status.
        case refused(status: Int)
    }

    package enum Next: Sendable, Equatable {
        case again(after: Duration)
        case giveUp
    }

    static let firstPause = Duration.milliseconds(250)
    static let longestPause = Duration.seconds(5)

    /// The id of the last event that came; the next stream begins after it.
    package private(set) var last: String?
    private var hasBegun = false
    private var pause = Self.firstPause

    /// - Parameter after: where the first stream begins; nil for now.
    package init(after: String? = nil) { self.last = after }

    /// A line of the stream.
    package mutating func received(_ line: String) {
        self.hasBegun = true
        self.pause = Self.firstPause
        if line.hasPrefix("id: ") { self.last = String(line.dropFirst(4)) }
    }

    /// A watch that never began tells a person at once what is wrong; later it goes on for as long as it is wanted,
    /// but not against a refusal that time does not mend.
    package mutating func ended(_ end: End) -> Next {
        switch end {
        case .unreachable where !self.hasBegun: return .giveUp
        case .refused(let status) where !self.hasBegun || !Self.mayPass(status): return .giveUp
        case .broken, .unreachable, .refused: break
        }
        defer { self.pause = min(self.pause * 2, Self.longestPause) }
        return .again(after: self.pause)
    }

    private static func mayPass(_ status: Int) -> Bool { status >= 500 || status == 429 }
}
