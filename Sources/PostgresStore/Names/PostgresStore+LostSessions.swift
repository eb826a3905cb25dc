import ClusterPorts
import PostgresDriver

/// Statements that decide, and the certainty that one whose answer was lost does not decide any more.
extension PostgresStore {
    /// As ``run(_:deadline:)``; where the answer is lost, the session is noted.
    func deciding(_ statement: PostgresStatement) async throws(StoreError) -> PostgresRows {
        do throws(PostgresError) {
            return try await self.lane.query(statement, watch: self.lost.watch())
        } catch {
            throw StoreError(error)
        }
    }

    /// Ends the sessions in which an answer was lost; afterwards nothing of them is on its way.
    ///
    /// What was sent on a connection runs in its session or never. A session is known by its process number and its
    /// start, so another one with the number is not hit; one whose start is not known is only waited for. After a
    /// failover the new server has no such session, and what the old one still commits is not part of the database.
    ///
    /// - Throws: `notRun` while one of them is still there: read later.
    func endLostSessions() async throws(StoreError) {
        let lost = self.lost.all
        guard !lost.isEmpty else { return }
        var left: Set<PostgresSession> = []
        for row in try await self.runEnding(lost) {
            let (backendID, startedAt) = try row.reading(Int32.self, Int64?.self)
            left.insert(PostgresSession(backendID: backendID, startedAt: startedAt))
        }
        self.lost.areOver(lost.filter { !left.contains($0) })
        guard left.isEmpty else {
            throw .notRun("a statement whose answer was lost may still run in \(left.count) sessions")
        }
    }

    /// Where the role may end no sessions, they are only waited for.
    private func runEnding(_ lost: [PostgresSession]) async throws(StoreError) -> PostgresRows {
        do throws(StoreError) {
            return try await self.run(Self.still(there: lost, ending: true))
        } catch {
            guard error.isRefusal(.insufficientPrivilege) else { throw error }
            return try await self.run(Self.still(there: lost, ending: false))
        }
    }

    /// The sessions that are not over.
    ///
    /// The one that runs this statement has ended everything before.
    private static func still(there lost: [PostgresSession], ending: Bool) -> PostgresStatement {
        // Waits a moment for each, since it mostly ends at once.
        let ended: PostgresStatement =
            ending ? "started is not null and not committed and pg_terminate_backend(pid, 200)" : "false"
        return """
            with there as materialized (
                -- Who waits for a standby has committed, and ending it would show what a failover may lose.
                select l.pid, l.started, coalesce(a.wait_event, '') = 'SyncRep' as committed
                from unnest(\(lost.map(\.backendID)), \(lost.map(\.startedAt))) as l (pid, started)
                join pg_stat_activity a on a.pid = l.pid
                where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
                  and (l.started is null or l.started = \(PostgresSession.started("a.backend_start")))
            ), looked as materialized (
                select pid, started, \(ended) as ended from there
            )
            select pid, started from looked where not ended
            """
    }
}
