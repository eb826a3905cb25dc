package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Data

/// Reservations: names that are taken first and decided, or given up, after a look at the disk.
extension PostgresStore {
    package func reserve(
        _ names: [HomePath], for operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.reserve(names, for: operation, me: Fragments.me(right), by: right)
    }

    /// - Parameter me: what proves the right.
    func reserve(
        _ names: [HomePath], for operation: Operation, me: PostgresStatement, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try Self.check(batch: names.count)
        // Looking first keeps the usual conflict out of the server's log; the key settles what the look
        // missed.
        let statement: PostgresStatement = """
            with \(me), asked as materialized (
                select distinct path, sha256(path) as path_key
                from unnest(\(names.map { Data($0.bytes) })) as a (path)
            ), home as materialized (
                select h.account_id, h.busy, h.busy_operation from flotilla.home h
                where h.account_id = \(operation.account.rawValue) and exists (select from me)
                for share
            ), held as materialized (
                -- Whoever marks a folder waits for this row; then it sees the reservation, or this sees the mark.
                select exists (
                    select from home h, asked a
                    where \(Fragments.isBusy("a.path", for: "\(operation.id)"))) as found
            ), busy as materialized (
                select exists (
                    select from flotilla.name n join asked a on n.path_key = a.path_key
                    where n.account_id = \(operation.account.rawValue)) as found
            ), taken as (
                insert into flotilla.name (
                    account_id, path, operation, incarnation, state, account_name, node, protocol, client,
                    started_at)
                select h.account_id, a.path, \(operation.id), \(right.incarnation.rawValue), 'reserved',
                       \(operation.accountName.description), \(operation.origin.node.description),
                       \(operation.origin.`protocol`), \(operation.origin.client), \(operation.origin.startedAt)
                from home h, held f, busy b, asked a
                where not b.found and not f.found
                order by a.path_key
            )
            select case
                when not exists (select from me) then 'fenced'
                when not exists (select from home) then 'gone'
                when f.found then 'busyFolder'
                when b.found then 'busyName'
                else 'decided' end
            from busy b, held f
            """
        do throws(StoreError) {
            return try DecisionAnswer(stored: await self.one(statement).reading(String.self))
        } catch {
            guard error.isRefusal(.uniqueViolation) else { throw error }
            return .busyName
        }
    }

    package func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: Operation, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        try await self.decide(change, costing: cost, of: operation, me: Fragments.me(right), by: right)
    }

    /// - Parameters:
    ///   - me: what proves the right.
    ///   - effect: a CTE besides, over `decided`, which has rows if something was.
    func decide(
        _ change: NameChange, costing cost: ChangeCost?, of operation: Operation, me: PostgresStatement,
        effect: PostgresStatement? = nil, by right: NodeRight
    ) async throws(StoreError) -> DecisionAnswer {
        let row = try Self.only(
            await self.deciding(Self.decide(change, cost, operation, me, effect, by: right)))
        let (answer, bytesMax, filesMax, bytes, files) = try row.reading(
            String.self, Int64?.self, Int64?.self, Int64?.self, Int64?.self)
        guard answer == "overQuota" else { return try DecisionAnswer(stored: answer) }
        return .overQuota(
            QuotaRefusal(
                quota: Quota(bytes: bytesMax, files: filesMax),
                use: HomeUse(bytes: bytes ?? 0, files: files ?? 0), need: cost?.added ?? .none))
    }

    private static func decide(
        _ change: NameChange, _ cost: ChangeCost?, _ operation: Operation, _ me: PostgresStatement,
        _ effect: PostgresStatement?, by right: NodeRight
    ) -> PostgresStatement {
        let more: PostgresStatement = effect.map { ", \($0)" } ?? ""
        let new = NameRow.Columns(change)
        let paths = [Data(new.subject)] + (new.target.map { [$0] } ?? [])
        let added = cost?.added ?? .none
        return """
            with \(me), homes as materialized (
                select h.busy, h.busy_operation, h.metered from flotilla.home h
                where h.account_id = \(operation.account.rawValue) and exists (select from me)
                for share
            ), mine as materialized (
                select n.path_key, n.path from flotilla.name n
                where n.operation = \(operation.id) and n.state = 'reserved'
                  and n.account_id = \(operation.account.rawValue)
                  and n.incarnation = \(right.incarnation.rawValue) and exists (select from homes)
                order by n.path_key
                for update
            ), \(QuotaFragments.purse(of: operation.account, cost)), judged as materialized (
                select exists (
                    select from homes h,
                        (select path from mine union all select unnest(\(paths))) as p (path)
                    where \(Fragments.isBusy("p.path", for: "\(operation.id)"))) as busy,
                    exists (select from homes where metered) and not exists (select from purse) as uncosted,
                    \(QuotaFragments.isOver(cost)) as over
            ), decided as (
                update flotilla.name n
                set state = 'decided', since = clock_timestamp(), change = \(new.change),
                    subject = nullif(\(new.subject), n.path), target = \(new.target),
                    staged_incarnation = \(new.stagedIncarnation), staged_file = \(new.stagedFile),
                    inode = \(new.inode), size = \(new.size), modified = \(new.modified),
                    is_folder = \(new.isFolder), digest = \(new.digest), replaces = \(new.replaces),
                    quota_number = p.number, cost_bytes = case when p.number is not null then \(added.bytes) end,
                    cost_files = case when p.number is not null then \(added.files) end
                from mine m cross join judged j left join purse p on true
                where not j.busy and not j.uncosted and not j.over
                  and n.account_id = \(operation.account.rawValue) and n.path_key = m.path_key
                  and n.operation = \(operation.id) and n.state = 'reserved'
                returning 1
            ), \(QuotaFragments.charged(cost))\(more)
            select case
                when not exists (select from me) then 'fenced'
                when not exists (select from homes) then 'gone'
                when j.busy then 'busyFolder'
                when exists (select from decided) then 'decided'
                when not exists (select from mine) then 'gone'
                when j.uncosted then 'metered'
                when j.over then 'overQuota'
                else 'gone' end, p.bytes_max, p.files_max, p.bytes, p.files
            from judged j left join purse p on true
            """
    }

    package func abandon(_ operation: Operation, of incarnation: Incarnation) async throws(StoreError) {
        let account = operation.account.rawValue
        _ = try await self.run(
            """
            with mine as materialized (
                select path_key from flotilla.name
                where operation = \(operation.id) and state = 'reserved' and account_id = \(account)
                  and incarnation = \(incarnation.rawValue) and started_at = \(operation.origin.startedAt)
                order by path_key
                for update
            )
            delete from flotilla.name n using mine m
            where n.account_id = \(account) and n.path_key = m.path_key and n.operation = \(operation.id)
              and n.state = 'reserved' and n.incarnation = \(incarnation.rawValue)
              and n.started_at = \(operation.origin.startedAt)
            """)
    }

    /// Only of an incarnation whose death is recorded: then nothing of it can be in flight.
    ///
    /// Decided names
    /// stay; roll them forward first, so that the folders they lie in stay marked until then.
    package func abandonAll(of departed: Incarnation) async throws(StoreError) -> Int {
        let unmarking = Self.unmarking(
            where: "h.account_id = any (array(select account_id from homes))",
            keeping: "b.incarnation <> \(departed.rawValue)")
        let row = try await self.one(
            """
            with dead as materialized (
                select incarnation from flotilla.departed where incarnation = \(departed.rawValue)
            ), homes as materialized (
                select h.account_id from flotilla.home h
                where cardinality(h.busy) > 0 and \(departed.rawValue) = any (h.busy_incarnation)
                  and exists (select from dead)
                order by h.account_id
                for no key update
            ), marks as materialized (
                select count(*) as count from flotilla.home h, unnest(h.busy_incarnation) as b (incarnation)
                where h.account_id = any (array(select account_id from homes))
                  and b.incarnation = \(departed.rawValue)
            ), unmarked as (
                \(unmarking)
            ), locked as materialized (
                -- After the homes: that is the order of locks.
                select n.account_id, n.path_key from flotilla.name n, marks
                where n.incarnation = \(departed.rawValue) and n.state = 'reserved' and marks.count >= 0
                  and exists (select from dead)
                order by n.account_id, n.path_key
                for update of n
            ), abandoned as (
                delete from flotilla.name n using locked l
                where n.account_id = l.account_id and n.path_key = l.path_key
                  and n.incarnation = \(departed.rawValue) and n.state = 'reserved'
                returning 1
            )
            select m.count + (select count(*) from abandoned) from marks m
            """)
        return try row.reading(Int.self)
    }
}
