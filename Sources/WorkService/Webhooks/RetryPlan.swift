import Foundation

/// Decides how long a failed attempt waits for the next one.
package enum RetryPlan {
    package static let first: Duration = .seconds(1)
    /// With 20 attempts the last one comes about eight hours after the first.
    package static let longest: Duration = .seconds(3_600)

    /// A second, doubled by each attempt up to an hour; of that a random half to the whole, so that what failed
    /// together does not come again together.
    ///
    /// - Parameters:
    ///   - attempt: that failed, from 1.
    ///   - chance: 0 to 1.
    package static func pause(after attempt: Int, chance: Double) -> Duration {
        let doubled = Self.first * (1 << min(max(attempt, 1) - 1, 20))
        return Self.permille(of: min(doubled, Self.longest), 500 + 500 * chance)
    }

    /// What the receiver asked for, from a second to an hour, and up to a tenth more; else ``pause(after:chance:)``.
    package static func pause(after attempt: Int, asked: Duration?, chance: Double) -> Duration {
        guard let asked else { return Self.pause(after: attempt, chance: chance) }
        return Self.permille(of: min(max(asked, Self.first), Self.longest), 1_000 + 100 * chance)
    }

    /// In whole thousandths: a factor that is no whole number would leave attoseconds.
    private static func permille(of duration: Duration, _ share: Double) -> Duration {
        duration * Int(min(max(share, 0), 1_100)) / 1_000
    }

    /// Reads `Retry-After`: seconds, or a time, which is held against the receiver's own clock in `Date`.
    ///
    /// Nil when it is neither, and for a time without `Date`: clocks of two machines are not compared.
    package static func asked(_ text: String?, date: String?) -> Duration? {
        guard let text else { return nil }
        if let seconds = Int(text) { return seconds < 0 ? nil : .seconds(min(seconds, 86_400)) }
        guard let date, let now = Self.date(date), let due = Self.date(text) else { return nil }
        let seconds = due.timeIntervalSince(now)
        return .seconds(min(max(Int(seconds), 0), 86_400))
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// As HTTP shows times (RFC 9110, 5.6.7); the two obsolete forms are none.
    private static func date(_ text: String) -> Date? {
        let form = #/[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) GMT/#
        guard let parts = text.wholeMatch(of: form)?.output,
            let month = Self.months.firstIndex(of: String(parts.2))
        else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        return try? Date.ISO8601FormatStyle().parse("\(parts.3)-\(number)-\(parts.1)T\(parts.4)Z")
    }
}
