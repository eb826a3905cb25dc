import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Pieces of SQL about quotas, for accounts, decisions and ends of decisions.
///
/// The order of locks is: the member; the account; homes by id; names by key; quotas by account; the cluster's row.
enum QuotaFragments {
    // MARK: - Limits

    /// What a limit becomes; `column` is SQL for what it is.
    static func limit(_ change: LimitChange, of column: String) -> PostgresStatement {
        switch change {
        case .keep: "\(unescaped: column)"
        case .unlimited: "null"
        case .at(let most): "\(most)"
        }
    }

    /// Makes home and quota what the accounts of `source` (id, quota_bytes, quota_files) say, by CTEs.
    ///
    /// Whoever changes an account's limits holds its row, so the home's flag changes in their order.
    static func metering(of source: String) -> PostgresStatement {
        """
        flipped as (
            update flotilla.home h set metered = s.quota_bytes is not null or s.quota_files is not null
            from \(unescaped: source) s
            where h.account_id = s.id
              and h.metered is distinct from (s.quota_bytes is not null or s.quota_files is not null)
            returning h.account_id, h.metered
        ), \(Self.purses(of: source, flipped: "flipped", where: "true"))
        """
    }

    /// The quota of the account of `source`; if `flipped` (account_id, metered) made it metered, it is counted anew.
    ///
    /// - Parameter condition: over the columns of `wanted`. Rows of quotas are not asked: the snapshot may be older than the
    ///   account's row.
    static func purses(
        of source: String, flipped: String, where condition: PostgresStatement
    ) -> PostgresStatement {
        """
        wanted as materialized (
            select s.id, s.quota_bytes, s.quota_files, coalesce(f.metered, false) as anew
            from \(unescaped: source) s left join \(unescaped: flipped) f on f.account_id = s.id
        ), purses as (
            insert into flotilla.quota as q (account_id, number, shard, bytes_max, files_max, pending)
            select w.id, nextval('flotilla.quota_number'), get_byte(sha256(uuid_send(w.id)), 0), w.quota_bytes,
                   w.quota_files, 'first'
            from wanted w
            where \(condition)
            on conflict (account_id) do update
            set bytes_max = excluded.bytes_max, files_max = excluded.files_max,
                number = case when (select anew from wanted) then excluded.number else q.number end,
                bytes = case when (select anew from wanted) then 0 else q.bytes end,
                files = case when (select anew from wanted) then 0 else q.files end,
                counted_at = case when (select anew from wanted) then null else q.counted_at end,
                due_at = case when (select anew from wanted) then clock_timestamp() else q.due_at end,
                pending = case when (select anew from wanted) then 'first' else q.pending end
        )
        """
    }

    // MARK: - Decisions

    /// The quota's row of a metered home, locked after its names, as the CTE `purse`; none without a cost.
    ///
    /// After the CTEs `homes` (with `metered`) and `mine`.
    static func purse(of account: AccountID, _ cost: ChangeCost?) -> PostgresStatement {
        """
        purse as materialized (
            select q.account_id, q.number, q.bytes, q.files, q.bytes_max, q.files_max from flotilla.quota q
            where q.account_id = \(account.rawValue) and \(cost != nil) and exists (select from homes where metered)
              and (select count(*) from mine) > 0
            for no key update
        )
        """
    }

    /// Whether what is added does not fit; a column over the CTE `purse`.
    static func isOver(_ cost: ChangeCost?) -> PostgresStatement {
        let added = cost?.added ?? .none
        return """
            exists (
                select from purse p
                where (\(added.bytes) > 0::int8 and p.bytes + \(added.bytes) > p.bytes_max)
                   or (\(added.files) > 0::int8 and p.files + \(added.files) > p.files_max))
            """
    }

    /// Adds the cost if there are rows in the CTE `decided`.
    static func charged(_ cost: ChangeCost?) -> PostgresStatement {
        let (added, churn) = (cost?.added ?? .none, cost?.churn ?? .none)
        return """
            charged as (
                update flotilla.quota q
                set bytes = greatest(0, q.bytes + \(added.bytes)), files = greatest(0, q.files + \(added.files)),
                    churn_bytes = q.churn_bytes + \(churn.bytes), churn_files = q.churn_files + \(churn.files),
                    voids = case when \(cost?.voidsCounts ?? false) then q.voids + 1 else q.voids end,
                    pending = case when \(cost == .uncounted) then coalesce(q.pending, 'removal') else q.pending end,
                    due_at = case when \(cost == .uncounted) then least(q.due_at, clock_timestamp()) else q.due_at end
                from purse p
                where q.account_id = p.account_id and exists (select from decided)
            )
            """
    }

    /// Gives back what failed decisions had added, from the CTE `gone` with `operation`, `account_id` and the costs.
    static func refunded(_ failed: [UUID]) -> PostgresStatement {
        """
        refunds as materialized (
            select account_id, quota_number, sum(cost_bytes)::int8 as bytes, sum(cost_files)::int8 as files,
                   sum(abs(cost_bytes))::int8 as churn_bytes, sum(abs(cost_files))::int8 as churn_files
            from gone where operation = any (\(failed)) and quota_number is not null
            group by account_id, quota_number
        ), repaid as materialized (
            select q.account_id from flotilla.quota q
            where q.account_id = any (array(select account_id from refunds))
            order by q.account_id
            for no key update
        ), refunded as (
            update flotilla.quota q
            set bytes = greatest(0, q.bytes - r.bytes), files = greatest(0, q.files - r.files),
                churn_bytes = q.churn_bytes + r.churn_bytes, churn_files = q.churn_files + r.churn_files
            from refunds r
            where q.account_id = r.account_id and q.number = r.quota_number and (select count(*) from repaid) > 0
        )
        """
    }
}
