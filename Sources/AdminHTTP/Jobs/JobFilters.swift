package import ClusterModel
package import ClusterPorts
package import HTTPDoor

/// Turns the query of `GET /jobs` into what the store is asked.
package enum JobFilters {
    /// The longest page; the store is asked for one more, which tells whether there is a next one.
    package static let longest = 999

    package enum Sort: String, CaseIterable, Sendable {
        case id
        case idDescending = "-id"
    }

    /// A filter by account still has its name: the caller looks it up.
    package struct Asked: Sendable, Equatable {
        package var query: JobQuery
        package var account: AccountName?
        package var limit: Int
        /// What its cursors are bound to.
        package var list: String
    }

    package static func query(_ items: [RequestTarget.QueryItem]) throws(Problem) -> Asked {
        var reader = try QueryReader(items)
        var query = JobQuery()
        let states = JobState.allCases.map(\.rawValue).joined(separator: ", ")
        query.states =
            try reader.value("state", "one or several of \(states), with commas between") { Self.states($0) }
            ?? []
        query.kind = try reader.value("kind", "a kind of job, 1 to 32 of a-z 0-9 -") { JobKind($0) }
        let account = try reader.value("account", "an account's name") { AccountName($0) }
        query.node = try reader.value("node", "a node's name") { NodeName($0) }
        query.orderKey = reader.text("order_key")
        query.submitter = reader.text("submitter")
        query.createdFrom = try reader.value("created_from", "an RFC 3339 time") { Timestamp.date($0) }
        query.createdBefore = try reader.value("created_before", "an RFC 3339 time") { Timestamp.date($0) }
        query.newestFirst = try reader.choice("sort", Sort.self) == .idDescending
        let list = "jobs \(query) \(account?.description ?? "")"
        query.after = try reader.value("cursor", PageCursor.expected) {
            PageCursor.position(Int64.self, $0, of: list).flatMap { JobID(rawValue: $0) }
        }
        let limit = try reader.number("limit", in: 1...Int64(Self.longest)).map { Int($0) } ?? 100
        query.limit = limit + 1
        try reader.finish()
        return Asked(query: query, account: account, limit: limit, list: list)
    }

    private static func states(_ text: String) -> Set<JobState>? {
        var states: Set<JobState> = []
        for name in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let state = JobState(rawValue: String(name)) else { return nil }
            states.insert(state)
        }
        return states
    }

    package static func cursor(after job: JobRecord, of list: String) -> String {
        PageCursor.text(job.id.rawValue, of: list)
    }

    /// `by=state,kind` of `GET /jobs/counts`; by state alone when nothing is said.
    package static func grouping(_ items: [RequestTarget.QueryItem]) throws(Problem) -> Set<JobGrouping> {
        var reader = try QueryReader(items)
        let all = JobGrouping.allCases.map(\.rawValue).joined(separator: ", ")
        let grouping = try reader.value("by", "one or several of \(all), with commas between") {
            text -> Set<JobGrouping>? in
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
            let found = names.compactMap { JobGrouping(rawValue: String($0)) }
            return found.count == names.count ? Set(found) : nil
        }
        try reader.finish()
        return grouping ?? [.state]
    }
}
