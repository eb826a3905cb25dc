import ClusterModel

/// Simulated time: nanoseconds since the start of a run.
///
/// Nobody inside the simulation can read it.
///
/// Nodes have ``NodeClock``, the database has a clock that may be set.
final class TrueTime {
    @exclusivity(unchecked) var now: Int64 = 0
}

/// Lengths of time, in nanoseconds.
enum Span {
    static let microsecond: Int64 = 1_000
    static let millisecond: Int64 = 1_000_000
    static let second: Int64 = 1_000_000_000
    static let minute: Int64 = 60 * Self.second

    static func milliseconds(_ count: Int64) -> Int64 { count * Self.millisecond }
    static func seconds(_ count: Int64) -> Int64 { count * Self.second }
}

/// A node's own steady clock: it starts anywhere and may run up to a tenth too fast or too slow.
struct NodeClock: Sendable, Equatable {
    let offset: Int64
    /// How many of its nanoseconds pass in 1,000 true ones.
    let rate: Int64

    func instant(at now: Int64) -> ClusterInstant { ClusterInstant(nanoseconds: self.reading(at: now)) }

    func reading(at now: Int64) -> Int64 {
        self.offset + now / 1_000 * self.rate + now % 1_000 * self.rate / 1_000
    }

    /// How much true time passes while this clock goes on by `length`; never too short.
    func trueLength(of length: Int64) -> Int64 {
        self.rate == 1_000 ? length : length * 1_000 / self.rate + 1
    }

    func trueMoment(of instant: ClusterInstant, now: Int64) -> Int64 {
        now + self.trueLength(of: max(0, instant.nanoseconds - self.reading(at: now)))
    }
}
