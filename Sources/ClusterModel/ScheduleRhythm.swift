package import Foundation

/// A time of the database's clock, in microseconds since 1970; never compared with any other clock.
package struct DatabaseTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }

    /// What a person said, to the microsecond.
    package init(_ date: Date) {
        self.microseconds = Int64((date.timeIntervalSince1970 * 1_000_000).rounded())
    }

    package var date: Date { Date(timeIntervalSince1970: Double(self.microseconds) / 1_000_000) }

    package static func < (left: DatabaseTime, right: DatabaseTime) -> Bool {
        left.microseconds < right.microseconds
    }

    /// `2026-11-22T02:00:00Z`; what is below a second is left out.
    package var description: String {
        let seconds = (Double(self.microseconds) / 1_000_000).rounded(.down)
        return Date(timeIntervalSince1970: seconds).formatted(.iso8601)
    }
}

/// When a schedule fires: at `anchor`, and whole periods before and after it.
package struct ScheduleRhythm: Hashable, Sendable {
    /// Seconds; one of ``periods``.
    package let every: Int64
    package let anchor: DatabaseTime

    /// Ten seconds to a year of 366 days.
    package static let periods: ClosedRange<Int64> = 10...31_622_400
    /// 1970 to the end of 9999: what times a person may name.
    package static let anchors: ClosedRange<Int64> = 0...253_402_300_799_000_000

    /// Answers nil when the period or the anchor is not allowed.
    package init?(every: Int64, anchor: DatabaseTime) {
        guard Self.periods.contains(every), Self.anchors.contains(anchor.microseconds) else { return nil }
        self.every = every
        self.anchor = anchor
    }

    private var period: Int64 { self.every * 1_000_000 }

    /// The newest firing that is not after a time.
    package func last(upTo time: DatabaseTime) -> DatabaseTime {
        let distance = time.microseconds - self.anchor.microseconds
        let rest = distance % self.period
        return DatabaseTime(microseconds: time.microseconds - (rest < 0 ? rest + self.period : rest))
    }

    /// The first firing after a time.
    package func next(after time: DatabaseTime) -> DatabaseTime {
        self.moved(self.last(upTo: time), by: 1)
    }

    /// How many firings are after the one time and not after the other.
    package func count(after: DatabaseTime, upTo: DatabaseTime) -> Int64 {
        max(0, (self.last(upTo: upTo).microseconds - self.last(upTo: after).microseconds) / self.period)
    }

    /// A firing so many periods later.
    package func moved(_ time: DatabaseTime, by periods: Int64) -> DatabaseTime {
        DatabaseTime(microseconds: time.microseconds + periods * self.period)
    }

    // MARK: Every day

    /// Every day at a time of day, in UTC.
    ///
    /// Nil unless it is `HH:MM` or `HH:MM:SS`.
    package static func daily(at text: String) -> ScheduleRhythm? {
        guard let parts = text.wholeMatch(of: #/([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?/#)?.output,
            let hour = Int64(parts.1), let minute = Int64(parts.2), let second = Int64(parts.3 ?? "0"),
            hour < 24, minute < 60, second < 60
        else { return nil }
        let seconds = (hour * 60 + minute) * 60 + second
        return ScheduleRhythm(every: 86_400, anchor: DatabaseTime(microseconds: seconds * 1_000_000))
    }

    /// The time of day when it fires, in UTC: `HH:MM` or `HH:MM:SS`; nil unless it does once a day, at a
    /// whole second.
    package var dailyAt: String? {
        guard self.every == 86_400, self.anchor.microseconds % 1_000_000 == 0 else { return nil }
        let seconds = self.anchor.microseconds / 1_000_000 % 86_400
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let minutes = "\(two(seconds / 3_600)):\(two(seconds / 60 % 60))"
        return seconds % 60 == 0 ? minutes : "\(minutes):\(two(seconds % 60))"
    }
}
