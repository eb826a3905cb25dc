import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore

import struct Foundation.Date
import struct Foundation.UUID

/// One attempt of each kind.
extension Victim {
    /// Tries it; true when the database took it, nil when nothing of the kind is left to try.
    func attempt(
        _ kind: CommitKind, _ stock: SharedStock, line: BeatingLine?
    ) async throws -> Bool? {
        switch kind {
        case .end:
            guard let title = stock.take({ $0.leases.popLast() }) else { return nil }
            if self.scene.isBroken { return try await NaiveCommits.end(title, on: self.scene.pool) }
            return try await self.scene.store.end([title], by: self.right) == [true]
        case .acquire:
            let request = LeaseRequest(subject: try self.subject())
            if self.scene.isBroken {
                return try await NaiveCommits.acquire(request, by: self.right, on: self.scene.pool)
            }
            return try await self.acquire(request, stock)
        case .sweepOverdue:
            guard let title = stock.take({ $0.overdue.popLast() }) else { return nil }
            return try await !self.scene.store.sweepOverdue([title], by: self.right).isEmpty
        case .sweepDead: return try await !self.scene.store.sweepDead(limit: 1, by: self.right).isEmpty
        case .decide, .reserve, .decideReserved, .markFolder, .releaseFolder, .recordTransfer:
            return try await self.attemptAboutNames(kind, stock)
        case .claimDeparture, .closeDeparture, .takeLead, .prune, .drain, .joinAgain:
            return try await self.attemptAboutMembers(kind)
        case .heartbeat:
            guard let line else { return nil }
            return try await line.beat(for: self.right)
        }
    }

    /// What it gets goes into the stock, for those who end leases.
    private func acquire(_ request: LeaseRequest, _ stock: SharedStock) async throws -> Bool {
        guard case .granted(let epoch) = try await self.scene.store.acquire([request], by: self.right).first
        else { return false }
        let title = LeaseTitle(subject: request.subject, epoch: epoch)
        stock.take { if $0.leases.count < 200 { $0.leases.append(title) } }
        return true
    }

    // MARK: Names and transfers

    private func attemptAboutNames(_ kind: CommitKind, _ stock: SharedStock) async throws -> Bool? {
        let store = self.scene.store
        switch kind {
        case .decide:
            let publication = Publication(
                operation: self.operation(), path: try self.path(), staged: self.staged, digest: nil,
                replaces: true)
            return try await store.decide([publication], by: self.right) == [.decided]
        case .reserve:
            return try await store.reserve([self.path()], for: self.operation(), by: self.right) == .decided
        case .decideReserved:
            guard let (operation, path) = stock.take({ $0.reservations.popLast() }) else { return nil }
            let change = NameChange.publish(path: path, staged: self.staged, digest: nil, replaces: true)
            return try await store.decide(change, of: operation, by: self.right) == .decided
        case .markFolder:
            return try await store.mark(folders: [self.path()], for: self.operation(), by: self.right)
                == .decided
        case .releaseFolder:
            guard let (operation, folder) = stock.take({ $0.marks.popLast() }) else { return nil }
            let before = try await Witness.newest(about: self.account, on: self.scene.pool)
            try await store.release(folders: [folder], of: operation, by: self.right)
            // Whoever buries it releases the folder too, and the witness passes that over.
            return try await self.isTrue(
                """
                select exists (
                    select from witness.written
                    where place = 'home' and key = \(self.account.rawValue)::text and id > \(before)
                      and not \(operation.id) = any (operations))
                """)
        default: return try await self.record()
        }
    }

    private func record() async throws -> Bool {
        let record = TransferRecord(
            id: UUID(), kind: .download, status: .completed, account: self.accountName, path: try self.path(),
            size: 1, digest: nil, origin: self.origin, incarnation: self.right.incarnation, endedAt: Date())
        do throws(StoreError) {
            try await self.scene.store.record([record], by: self.right)
            return true
        } catch {
            guard case .refused = error else { throw error }
            return false
        }
    }

    // MARK: Members

    private func attemptAboutMembers(_ kind: CommitKind) async throws -> Bool? {
        let store = self.scene.store
        switch kind {
        case .claimDeparture:
            return try await store.claimDeparture(of: self.departed(claimed: false), by: self.right)
        case .closeDeparture:
            let departed = try await self.departed(claimed: true)
            try await store.closeDeparture(of: departed, by: self.right)
            return try await self.isTrue(
                "select swept_at is not null from flotilla.departed where incarnation = \(departed.rawValue)")
        case .takeLead:
            let claim = LeadClaim(right: self.right, term: try await self.term())
            return try await store.takeLead(claim) != nil
        case .prune:
            try await self.addPrunable()
            let leader = LeaderRight(right: self.right, term: try await self.term())
            let pruned = try await store.prune(olderThan: .seconds(3600), by: leader)
            try await self.removePrunable()
            return pruned > 0
        case .drain: return try await store.drain(self.right.incarnation, by: .node, reason: "x") != nil
        default: return try await self.joinAgain()
        }
    }

    private func joinAgain() async throws -> Bool {
        do throws(StoreError) {
            let answer = try await self.scene.store.join(.test(self.right.incarnation, named: nil))
            if case .joined = answer { return true }
            return false
        } catch {
            guard case .refused = error else { throw error }
            return false
        }
    }

    private func isTrue(_ statement: PostgresStatement) async throws -> Bool {
        try await self.scene.pool.query(statement).first?[0, as: Bool.self] ?? false
    }

    private func term() async throws -> Int64 {
        try await self.scene.pool.query("select leader_term from flotilla.cluster")
            .exactlyOne()[0, as: Int64.self]
    }

    /// Somebody who departed and has left nothing.
    private func departed(claimed: Bool) async throws -> Incarnation {
        let number = Int64.random(in: 1..<1 << 39)
        let by: Int64? = claimed ? self.right.incarnation.rawValue : nil
        _ = try await self.scene.pool.query(
            """
            insert into flotilla.departed (incarnation, slot, name, reason, swept_by)
            values (\(number), 1, 'x', 'made', \(by))
            """)
        guard let incarnation = Incarnation(rawValue: number) else {
            throw SceneError(description: "\(number) is no incarnation")
        }
        return incarnation
    }

    /// A member that has been dead for a day, for a leader to forget; of each victim its own.
    private func addPrunable() async throws {
        let number = (self.right.incarnation.rawValue << 8) | Int64.random(in: 0..<256)
        _ = try await self.scene.pool.query(
            """
            with departed as (
                insert into flotilla.departed (incarnation, slot, name, reason, swept_at)
                values (\(number), 1, 'x', 'made', clock_timestamp() - interval '1 day')
                on conflict do nothing
            )
            insert into flotilla.member (
                slot, name, incarnation, status, hb_at, up_since, joined_at, died_at, host, files_port, admin_port,
                version, capacity)
            select \(Int16.random(in: 1_000...Int16.max)), 'dead-' || \(number)::text, \(number), 'dead', t, t, t, t,
                   'x', 1, 1, 'x', 1
            from (select clock_timestamp() - interval '1 day' as t) t
            on conflict do nothing
            """)
    }

    private func removePrunable() async throws {
        let own = self.right.incarnation.rawValue << 8
        _ = try await self.scene.pool.query(
            "delete from flotilla.member where incarnation between \(own) and \(own + 255) and status = 'dead'"
        )
    }
}
