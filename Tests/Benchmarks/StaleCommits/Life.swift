import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver

import struct Foundation.UUID

/// The writes of one victim: they go on whatever happens to it, and each is counted by what was known when it began.
struct Life: Sendable {
    let victim: Victim
    let stock: SharedStock
    let line: BeatingLine?
    /// An accusation that is prepared must find the heartbeat where it was.
    var keepsStill = false
    /// Attempts of one writer after the eviction.
    var staleAttempts = 3
    /// Between two attempts of a writer while the victim lives.
    var rest: Duration = .zero
    /// True once the eviction has been answered: what begins from then on must be refused.
    let isEvicted: @Sendable () -> Bool

    static let writers = 3
    /// Answers that may be lost before something else is wrong.
    static let unknownMax = 100

    /// Until each writer has made its attempts after the eviction.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.writers { group.addTask { try await self.write(as: number) } }
            try await group.waitForAll()
        }
    }

    private func write(as number: Int) async throws {
        let tally = self.victim.scene.tally
        var stale = 0
        while stale < self.staleAttempts, !Task.isCancelled {
            let isStale = self.isEvicted()
            guard let kind = (isStale ? CommitKind.allCases : CommitKind.whileAlive).randomElement(),
                isStale || !self.keepsStill || kind != .heartbeat,
                // A leader writes one thing after the other; two at once would only wait for each other.
                isStale || number == 0 || kind != .prune
            else { continue }
            if isStale { stale += 1 }
            do {
                if let accepted = try await self.victim.attempt(kind, self.stock, line: self.line) {
                    tally.tried(kind, isStale: isStale, accepted: accepted, story: "\(self.victim.right)")
                }
            } catch {
                guard tally.failed("\(kind)", error) <= Self.unknownMax else { throw error }
            }
            if !isStale, self.rest > .zero { try await Pace.rest(self.rest) }
        }
    }

    /// Compares when what it wrote became visible with when its death did, whatever anybody was answered.
    ///
    /// The commits' own stamps decide, of rows that nobody changes later: the death in the history, and the notes
    /// of the ``Witness``.
    func judgeOrder() async throws {
        guard self.victim.scene.judgesOrder else { return }
        let incarnation = self.victim.right.incarnation.rawValue
        let row = try await self.victim.scene.pool.query(
            """
            with death as materialized (
                select pg_xact_commit_timestamp(xmin) as at from flotilla.view_history
                where incarnation = \(incarnation) and reason ~ '^(evicted|crashed|silent)'
            ), written as (
                select pg_xact_commit_timestamp(xmin) as at from witness.written
                where key = any (\(self.keys))
            )
            select (select count(*) from death), count(*), count(*) filter (where w.at > (select max(at) from death))
            from written w
            """
        ).exactlyOne()
        let (deaths, rows, late) = try row.decode(Int64.self, Int64.self, Int64.self)
        guard deaths == 1 else {
            throw SceneError(description: "\(self.victim.right) has \(deaths) deaths in the history")
        }
        self.victim.scene.tally.judged(
            rows: Int(rows), afterDeath: Int(late), story: "\(self.victim.right)")
    }

    /// What the witness calls it.
    private var keys: [String] {
        [
            self.victim.right.incarnation.description, self.victim.account.rawValue.uuidString.lowercased(),
            self.victim.accountName.description,
        ]
    }

    /// So that no later victim has more to wade through than an earlier one.
    func clear() async throws {
        let incarnation = self.victim.right.incarnation.rawValue
        _ = try await self.victim.scene.pool.query(
            """
            with names as (delete from flotilla.name where account_id = \(self.victim.account.rawValue)),
                 notes as (delete from witness.written where key = any (\(self.keys))),
                 transfers as (delete from flotilla.transfer where account = \(self.victim.accountName.description)),
                 departures as (
                     update flotilla.departed set swept_at = clock_timestamp()
                     where incarnation = \(incarnation) or swept_by = \(incarnation))
            delete from flotilla.lease where incarnation = \(incarnation)
            """)
    }
}
