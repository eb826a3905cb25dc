package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Accounts. A change locks the account's row first and the cluster's row last; the lock on the cluster's row
/// is held until commit, so configuration versions become visible in their order and without gaps.
extension PostgresStore {
    package func account(named name: AccountName) async throws(StoreError) -> Versioned<Account?> {
        let row = try await self.one(
            """
            select c.config_version, a.id is not null, \(AccountRow.columns)
            from flotilla.cluster c left join flotilla.account a on a.name = \(name.description)
            """)
        let version = ConfigVersion(try row.reading(column: 0, as: Int64.self))
        guard try row.reading(column: 1, as: Bool.self) else { return Versioned(nil, at: version) }
        return Versioned(try AccountRow.account(row, from: 2), at: version)
    }

    package func create(_ account: Account) async throws(StoreError) -> Account? {
        let rows = try await self.run(
            """
            with added as (
                insert into flotilla.account (
                    id, name, enabled, password_hash, created_at, changed_at, quota_bytes, quota_files)
                values (
                    \(account.id.rawValue), \(account.name.description), \(account.enabled),
                    \(account.passwordHash), \(account.createdAt), \(account.changedAt), \(account.quota?.bytes),
                    \(account.quota?.files))
                on conflict (name) do nothing
                returning *
            ), home as (
                insert into flotilla.home (account_id, metered)
                select id, quota_bytes is not null or quota_files is not null from added
                returning account_id, metered
            ), \(QuotaFragments.purses(of: "added", flipped: "home", where: "w.anew")), voided as (
                select array['account'] as kinds, array[name] as subjects from added
            ), \(Fragments.nextConfiguration(ifAny: "added")), \(Fragments.noteConfiguration)
            select \(AccountRow.columns) from added a
            """)
        guard let row = rows.first else { return nil }
        return try AccountRow.account(row, from: 0)
    }

    /// Voids the account's cache entry and those of its keys.
    ///
    /// The keys are read from the statement's
    /// snapshot: if they changed while it waited for the account's row, it voids everything.
    package func change(
        _ name: AccountName, _ change: AccountChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Account> {
        let isAboutQuota = change.quotaBytes != .keep || change.quotaFiles != .keep
        let limits: PostgresStatement = isAboutQuota ? ", \(QuotaFragments.metering(of: "changed"))" : ""
        let rows = try await self.run(
            """
            with seen as materialized (
                select id, key_changes from flotilla.account where name = \(name.description)
            ), target as materialized (
                select id, name, revision, key_changes from flotilla.account
                where name = \(name.description)
                for no key update
            ), changed as (
                update flotilla.account a
                set enabled = coalesce(\(change.enabled), a.enabled),
                    password_hash = coalesce(\(change.passwordHash), a.password_hash),
                    quota_bytes = \(QuotaFragments.limit(change.quotaBytes, of: "a.quota_bytes")),
                    quota_files = \(QuotaFragments.limit(change.quotaFiles, of: "a.quota_files")),
                    revision = a.revision + 1, changed_at = clock_timestamp()
                from target t
                where a.id = t.id and (\(revision) is null or t.revision = \(revision))
                returning a.*
            )\(limits), keys as materialized (
                select coalesce(array_agg('key'::text), '{}') as kinds,
                       coalesce(array_agg(encode(k.digest, 'hex')), '{}') as subjects
                from flotilla.api_key k join target t on k.account_id = t.id
            ), voided as materialized (
                select case when t.key_changes = s.key_changes then array['account'] || k.kinds else array['*'] end as kinds,
                       case when t.key_changes = s.key_changes then array[t.name] || k.subjects else array['*'] end
                           as subjects
                from target t join seen s on s.id = t.id cross join keys k
            ), \(Fragments.nextConfiguration(ifAny: "changed")), \(Fragments.noteConfiguration)
            select t.revision, a.id is not null, \(AccountRow.columns)
            from target t left join changed a on true
            """)
        guard let row = rows.first else { return .unknown }
        guard try row.reading(column: 1, as: Bool.self) else {
            return .conflict(revision: try row.reading(column: 0, as: Int64.self))
        }
        return .changed(try AccountRow.account(row, from: 2))
    }

    package func accounts(
        after: AccountName?, enabled: Bool?, limit: Int
    ) async throws(StoreError) -> [Account] {
        let rows = try await self.run(
            """
            select \(AccountRow.columns) from flotilla.account a
            where a.name > \(after?.description ?? "")
              and (\(enabled) is null or a.enabled = \(enabled))
            order by a.name limit \(limit)
            """)
        var accounts: [Account] = []
        for row in rows { accounts.append(try AccountRow.account(row, from: 0)) }
        return accounts
    }
}
