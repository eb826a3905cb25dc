package import ClusterModel
package import ClusterPorts
package import HTTPDoor
import HTTPTypes

/// `POST /schedules`.
package struct ScheduleOrder: Sendable, Equatable {
    package var schedule: NewSchedule

    package init(_ body: [UInt8]) throws(Problem) {
        var fields = try BodyFields(body)
        let text = try fields.required("name")
        guard let name = ScheduleName(text) else {
            throw BodyFields.invalid(
                "name", "“\(text)” is not 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit")
        }
        let kindText = try fields.required("kind")
        guard let kind = JobKind(kindText) else {
            throw BodyFields.invalid("kind", "it must be 1 to 32 of a-z 0-9 -, beginning with a letter")
        }
        var account: AccountName?
        if let text = try fields.text("account") {
            account = AccountName(text)
            guard account != nil else {
                throw BodyFields.invalid("account", "“\(text)” is no account's name")
            }
        }
        let change = try ScheduleFields.change(&fields, of: body)
        try fields.finish()
        guard let every = change.every else {
            throw BodyFields.invalid("every_seconds", "it is missing; “daily_at” may be given instead")
        }
        self.schedule = NewSchedule(name: name, every: every, kind: kind)
        self.schedule.account = account
        self.schedule.enabled = change.enabled ?? self.schedule.enabled
        self.schedule.anchor = change.anchor
        self.schedule.payload = change.payload ?? self.schedule.payload
        self.schedule.missed = change.missed ?? self.schedule.missed
        self.schedule.overlap = change.overlap ?? self.schedule.overlap
    }
}

/// `PATCH /schedules/{name}`.
package struct SchedulePatch: Sendable, Equatable {
    package var change: ScheduleChange
    /// From `If-Match`.
    package var revision: Int64?

    package init(_ body: [UInt8], ifMatch: String?) throws(Problem) {
        var fields = try BodyFields(body)
        self.change = try ScheduleFields.change(&fields, of: body)
        try fields.finish()
        guard self.change != ScheduleChange() else {
            throw Problem(.badRequest, .invalidBody, "nothing is to be changed")
        }
        self.revision = try AccountTag.revision(ifMatch)
    }
}

/// The fields that both have.
private enum ScheduleFields {
    static func change(
        _ fields: inout BodyFields, of body: [UInt8]
    ) throws(Problem) -> ScheduleChange {
        var change = ScheduleChange()
        change.enabled = try fields.flag("enabled")
        if let seconds = try fields.integer("every_seconds") {
            let periods = ScheduleRhythm.periods
            guard periods.contains(seconds) else {
                throw BodyFields.invalid(
                    "every_seconds", "it must be from \(periods.lowerBound) to \(periods.upperBound)")
            }
            change.every = seconds
        }
        if let date = try fields.time("anchor") {
            let anchor = DatabaseTime(date)
            guard ScheduleRhythm.anchors.contains(anchor.microseconds), anchor.microseconds % 1_000_000 == 0
            else {
                throw BodyFields.invalid("anchor", "it must be a whole second from 1970 to 9999")
            }
            change.anchor = anchor
        }
        if let text = try fields.text("daily_at") {
            guard change.every == nil, change.anchor == nil else {
                throw BodyFields.invalid("daily_at", "the body has “every_seconds” or “anchor” as well")
            }
            guard let daily = ScheduleRhythm.daily(at: text) else {
                throw BodyFields.invalid("daily_at", "“\(text)” is no time of day in UTC, for example 02:00")
            }
            change.every = daily.every
            change.anchor = daily.anchor
        }
        change.missed = try Self.choice("missed", &fields)
        change.overlap = try Self.choice("overlap", &fields)
        if let payload = try fields.value("payload") {
            try JobSubmission.checkNumbers(in: body)
            change.payload = try JobSubmission.text(of: payload, longest: Schedule.payloadLimit)
        }
        return change
    }

    private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String, _ fields: inout BodyFields
    ) throws(Problem) -> Choice? {
        guard let text = try fields.text(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw BodyFields.invalid(name, "“\(text)” is none of \(all)")
        }
        return choice
    }
}

/// The query of `GET /schedules`.
package enum ScheduleFilters {
    private enum Sort: String, CaseIterable { case name }
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999
    private static let list = "schedules"

    package static func query(
        _ items: [RequestTarget.QueryItem]
    ) throws(Problem) -> (ScheduleQuery, limit: Int) {
        var reader = try QueryReader(items)
        var query = ScheduleQuery()
        query.account = try reader.value("account", "an account's name") { AccountName($0) }
        query.kind = try reader.value("kind", "a kind of job") { JobKind($0) }
        if reader.has("enabled") { query.enabled = try reader.flag("enabled") }
        _ = try reader.choice("sort", Sort.self)
        let limit = try reader.page(of: Self.list, &query, longest: Self.longest) { (content: String) in
            ScheduleName(content)
        }
        return (query, limit)
    }

    package static func cursor(after schedule: Schedule, _ query: ScheduleQuery) -> String {
        PageCursor.text(schedule.name.description, of: query.list(Self.list))
    }
}
