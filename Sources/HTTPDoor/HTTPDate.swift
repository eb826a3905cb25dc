/// Dates as HTTP shows them (RFC 9110, 5.6.7), for example `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// - Parameter seconds: since 1970; earlier than that shows as 1970.
    package static func text(seconds: Int64) -> String {
        let date = Self.parts(seconds: seconds)
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let clock = "\(two(date.hour)):\(two(date.minute)):\(two(date.second))"
        let weekday = Self.weekdays[Int(max(0, seconds)) / 86_400 % 7]
        return "\(weekday), \(two(date.day)) \(Self.months[date.month - 1]) \(date.year) \(clock) GMT"
    }

    /// A time in UTC taken apart.
    package struct Parts: Equatable {
        package var year: Int
        package var month: Int
        package var day: Int
        package var hour: Int
        package var minute: Int
        package var second: Int
    }

    /// - Parameter seconds: since 1970; earlier than that counts as 1970.
    package static func parts(seconds: Int64) -> Parts {
        let seconds = Int(max(0, seconds))
        let (year, month, day) = Self.date(days: seconds / 86_400)
        let rest = seconds % 86_400
        return Parts(
            year: year, month: month, day: day, hour: rest / 3_600, minute: rest / 60 % 60, second: rest % 60)
    }

    /// The Gregorian date of a day since 1970.
    ///
    /// Years are counted from March, so that the leap day is the last
    /// one.
    private static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
