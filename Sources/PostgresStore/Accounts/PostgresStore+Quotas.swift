package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// The use of accounts with a quota, and the counts of their homes.
extension PostgresStore: QuotaStore {
    package func quota(
        of account: AccountID, besides upload: UploadID?
    ) async throws(StoreError) -> AccountQuota? {
        try await self.quotas(of: [account], besides: upload)[account]
    }

    package func quotas(of accounts: [AccountID]) async throws(StoreError) -> [AccountID: AccountQuota] {
        try await self.quotas(of: accounts, besides: nil)
    }

    private func quotas(
        of accounts: [AccountID], besides upload: UploadID?
    ) async throws(StoreError) -> [AccountID: AccountQuota] {
        guard !accounts.isEmpty else { return [:] }
        try Self.check(batch: accounts.count)
        let rows = try await self.run(
            """
            select q.account_id, q.bytes_max, q.files_max, q.bytes, q.files, q.counted_at, q.pending is not null, (
                select coalesce(sum(u.durable), 0)::int8 from flotilla.upload u
                where u.account_id = q.account_id and u.status = 'open' and u.id is distinct from \(upload?.rawValue))
            from flotilla.quota q where q.account_id = any (\(accounts.map(\.rawValue)))
            """)
        var found: [AccountID: AccountQuota] = [:]
        for row in rows {
            let (id, bytesMax, filesMax, bytes, files, countedAt, isPending, open) = try row.reading(
                UUID.self, Int64?.self, Int64?.self, Int64.self, Int64.self, Date?.self, Bool.self, Int64.self
            )
            guard let quota = Quota(limits: bytesMax, filesMax) else { continue }
            found[AccountID(id)] = AccountQuota(
                quota: quota, use: HomeUse(bytes: bytes, files: files), open: open, countedAt: countedAt,
                isPending: isPending)
        }
        return found
    }

    // MARK: - Counts

    package func orderCount(of account: AccountID) async throws(StoreError) -> Bool {
        let rows = try await self.run(
            """
            update flotilla.quota q set due_at = least(q.due_at, clock_timestamp())
            where q.account_id = \(account.rawValue) and (q.bytes_max is not null or q.files_max is not null)
            returning 1
            """)
        return !rows.isEmpty
    }

    package func dueCounts(in shards: [ShardNumber], limit: Int) async throws(StoreError) -> [DueCount] {
        guard !shards.isEmpty else { return [] }
        try Self.check(batch: limit)
        let rows = try await self.run(
            """
            select a.id, a.name, q.shard from flotilla.quota q join flotilla.account a on a.id = q.account_id
            where q.shard = any (\(shards.map(\.rawValue))) and q.due_at <= clock_timestamp()
              and (q.bytes_max is not null or q.files_max is not null)
            order by q.due_at limit \(limit)
            """)
        var due: [DueCount] = []
        for row in rows {
            let (id, name, shard) = try row.reading(UUID.self, String.self, Int16.self)
            due.append(
                DueCount(
                    account: AccountID(id), name: try AccountName(stored: name),
                    shard: try ShardNumber(stored: shard)))
        }
        return due
    }

    /// One snapshot of the row and of what is decided: a decision changes both at once.
    package func beginCount(of account: AccountID) async throws(StoreError) -> CountMark? {
        let rows = try await self.run(
            """
            select q.number, q.churn_bytes - n.bytes, q.churn_files - n.files, q.voids
            from flotilla.quota q, (
                select coalesce(sum(abs(n.cost_bytes)), 0)::int8 as bytes,
                       coalesce(sum(abs(n.cost_files)), 0)::int8 as files,
                       array_agg(n.quota_number) as numbers, count(*) as count
                from flotilla.name n where n.account_id = \(account.rawValue) and n.state = 'decided') n
            where q.account_id = \(account.rawValue) and (q.bytes_max is not null or q.files_max is not null)
              and (n.count = 0 or q.number = all (n.numbers))
            """)
        guard let row = rows.first else { return nil }
        let (number, bytes, files, voids) = try row.reading(
            Int64.self, Int64.self, Int64.self, Int64.self)
        return CountMark(
            account: account, number: number, churn: HomeUse(bytes: bytes, files: files), voids: voids)
    }

    package func endCount(
        _ found: HomeUse, since mark: CountMark, again: CountRhythm, holding shard: ShardTitle,
        by right: NodeRight
    ) async throws(StoreError) -> CountAnswer {
        let row = try await self.one(
            """
            with \(Fragments.me(right)), \(ShardFragments.owned(shard)), locked as materialized (
                select q.account_id, q.bytes, q.files, q.counted_at is null or q.pending = 'first' as first,
                       q.pending is not null as waits,
                       q.churn_bytes - \(mark.churn.bytes) as off_bytes, q.churn_files - \(mark.churn.files) as off_files
                from flotilla.quota q
                where q.account_id = \(mark.account.rawValue) and q.number = \(mark.number)
                  and q.voids = \(mark.voids) and exists (select from shard)
                for no key update
            ), counted as (
                update flotilla.quota q
                set bytes = case when l.first then \(found.bytes) + l.off_bytes
                        else least(greatest(q.bytes, \(found.bytes) - l.off_bytes), \(found.bytes) + l.off_bytes) end,
                    files = case when l.first then \(found.files) + l.off_files
                        else least(greatest(q.files, \(found.files) - l.off_files), \(found.files) + l.off_files) end,
                    counted_at = clock_timestamp(),
                    pending = case when l.waits and (l.off_bytes > 0 or l.off_files > 0) then q.pending end,
                    due_at = clock_timestamp() + case
                        when l.waits and (l.off_bytes > 0 or l.off_files > 0) then \(Fragments.interval(again.soon))
                        else \(Fragments.interval(again.usual)) end
                from locked l where q.account_id = l.account_id
                returning q.bytes, q.files, l.off_bytes, l.off_files
            )
            select exists (select from shard), c.bytes, c.files, c.off_bytes, c.off_files
            from (select) one left join counted c on true
            """)
        let (isMine, bytes, files, offBytes, offFiles) = try row.reading(
            Bool.self, Int64?.self, Int64?.self, Int64?.self, Int64?.self)
        guard isMine else { return .fenced }
        guard let bytes, let files, let offBytes, let offFiles else { return .void }
        return .counted(
            use: HomeUse(bytes: bytes, files: files), doubt: HomeUse(bytes: offBytes, files: offFiles))
    }
}
