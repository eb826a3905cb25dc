package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Rights as rows. The order of locks is: the member, then leases by subject.
extension PostgresStore: LeaseStore {
    /// A request that lost a race is tried again; each time somebody else got something.
    private static let acquireAttempts = 6

    package func acquire(
        _ requests: [LeaseRequest], by right: NodeRight
    ) async throws(StoreError) -> [LeaseAnswer] {
        guard !requests.isEmpty else { return [] }
        try Self.check(batch: requests.count)
        guard Set(requests.map(\.subject)).count == requests.count else {
            throw .refused(sqlState: "22000", message: "a subject stands twice in one batch of requests")
        }
        // By subject, as everybody does.
        var waiting = requests.indices.sorted { requests[$0].subject < requests[$1].subject }[...]
        var answers: [LeaseAnswer?] = Array(repeating: nil, count: requests.count)
        while !waiting.isEmpty {
            var open = Array(waiting.prefix(AcquireStatement.mostTurns))
            waiting = waiting.dropFirst(open.count)
            for attempt in 0..<Self.acquireAttempts where !open.isEmpty {
                do throws(StoreError) {
                    try await self.acquireOnce(requests, &open, &answers, by: right, attempt: attempt)
                } catch {
                    // What was granted before stands, and the caller has to hear of it.
                    guard answers.contains(where: { $0?.isGranted ?? false }) else { throw error }
                    throw .mayHaveRun("a part of the batch was granted, then: \(error)")
                }
            }
        }
        return zip(requests, answers).map { request, answer in
            answer ?? (request.limit == nil ? .taken : .limited)
        }
    }

    /// One look; those who lost a race stay in `open`.
    private func acquireOnce(
        _ requests: [LeaseRequest], _ open: inout [Int], _ answers: inout [LeaseAnswer?], by right: NodeRight,
        attempt: Int
    ) async throws(StoreError) {
        let row = try await self.leasing(
            AcquireStatement.acquire(open.map { requests[$0] }, by: right, attempt: attempt))
        let (isLive, names, epochs) = try row.reading(Bool.self, [String].self, [Int64].self)
        guard isLive else {
            for index in open { answers[index] = .fenced }
            open = []
            return
        }
        guard names.count == epochs.count else { throw .corrupt("leases were granted without their epochs") }
        var granted: [String: Epoch] = [:]
        for (name, epoch) in zip(names, epochs) {
            guard let number = Epoch(rawValue: epoch) else { throw .corrupt("\(epoch) is no epoch") }
            granted[name] = number
        }
        for index in open {
            answers[index] = granted[requests[index].subject.description].map { .granted($0) }
        }
        open.removeAll { answers[$0] != nil }
        guard !open.isEmpty else { return }
        let verdicts = try await self.one(JudgeStatement.judge(open.map { requests[$0] })).reading(
            [String].self)
        guard verdicts.count == open.count else {
            throw .corrupt("\(verdicts.count) verdicts came to \(open.count) requests for leases")
        }
        for (index, verdict) in zip(open, verdicts) {
            switch try JudgeStatement.Verdict(stored: verdict) {
            case .taken: answers[index] = .taken
            case .outOfOrder: answers[index] = .outOfOrder
            case .limited: answers[index] = .limited
            case .free: break
            }
        }
        open.removeAll { answers[$0] != nil }
    }

    package func end(_ titles: [LeaseTitle], by right: NodeRight) async throws(StoreError) -> [Bool] {
        guard !titles.isEmpty else { return [] }
        try Self.check(batch: titles.count)
        let sorted = titles.sorted { $0.subject < $1.subject }
        let row = try await self.leasing(
            """
            with \(Fragments.me(right)), ended as (
                delete from flotilla.lease l using \(LeaseColumns.unnested(sorted)), me m
                where l.epoch = a.epoch and l.kind = a.kind and l.id = a.id and l.incarnation = m.incarnation
                returning l.kind, l.id, l.epoch
            )
            select coalesce(array_agg(kind || '/' || id), '{}'), coalesce(array_agg(epoch), '{}') from ended
            """)
        let (names, epochs) = try row.reading([String].self, [Int64].self)
        guard names.count == epochs.count else { throw .corrupt("leases were ended without their epochs") }
        let ended = Dictionary(zip(epochs, names)) { first, _ in first }
        return titles.map { ended[$0.epoch.rawValue] == $0.subject.description }
    }

    /// As ``one(_:)``, but a circle of waits is told as the port says.
    private func leasing(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRow {
        do throws(PostgresError) {
            return try await self.lane.query(statement).exactlyOne()
        } catch {
            guard case .failed(let server) = error, server.sqlState == .deadlockDetected else {
                throw StoreError(error)
            }
            throw .refused(sqlState: LeaseCircle.sqlState, message: server.description)
        }
    }
}
