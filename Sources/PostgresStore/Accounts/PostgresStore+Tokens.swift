package import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Tokens of operators.
extension PostgresStore {
    package func token(digest: Digest) async throws(StoreError) -> Versioned<OperatorToken?> {
        let row = try await self.one(
            """
            select c.config_version, t.id is not null, \(TokenRow.columns)
            from flotilla.cluster c
            left join flotilla.token t
                on t.digest = \(digest.bytes) and (t.expires_at is null or t.expires_at > clock_timestamp())
            """)
        let version = ConfigVersion(try row.reading(column: 0, as: Int64.self))
        guard try row.reading(column: 1, as: Bool.self) else { return Versioned(nil, at: version) }
        return Versioned(try TokenRow.token(row, from: 2), at: version)
    }

    /// The cluster's row says whether there ever was a token, so of two callers one is the first.
    package func addFirstToken(_ token: OperatorToken) async throws(StoreError) -> Bool {
        let row = try await self.one(
            """
            with bumped as (
                update flotilla.cluster
                set first_token_at = clock_timestamp(), config_version = config_version + 1
                where first_token_at is null
                returning config_version
            ), added as (
                \(Self.insert(token)) from bumped returning digest
            ), voided as (
                select array['token'] as kinds, array[encode(digest, 'hex')] as subjects from added
            ), \(Fragments.noteConfiguration)
            select exists (select from added)
            """)
        return try row.reading(Bool.self)
    }

    package func addToken(_ token: OperatorToken) async throws(StoreError) {
        _ = try await self.run(
            """
            with added as (
                \(Self.insert(token)) returning digest
            ), voided as (
                select array['token'] as kinds, array[encode(digest, 'hex')] as subjects from added
            ), bumped as (
                update flotilla.cluster
                set config_version = config_version + 1,
                    first_token_at = coalesce(first_token_at, clock_timestamp())
                where exists (select from added)
                returning config_version
            ), \(Fragments.noteConfiguration)
            select
            """)
    }

    private static func insert(_ token: OperatorToken) -> PostgresStatement {
        """
        insert into flotilla.token (id, label, digest, role, created_at, expires_at)
        select \(token.id), \(token.label), \(token.digest.bytes), \(token.role.rawValue), \(token.createdAt),
               \(token.expiresAt)
        """
    }

    package func changes(
        after version: ConfigVersion, limit: Int
    ) async throws(StoreError) -> [ConfigChange]? {
        let rows = try await self.run(
            """
            select \(version.rawValue) between coalesce((select min(version) from flotilla.config_change), 1) - 1
                       and c.config_version as known,
                   h.version, h.kinds, h.subjects
            from flotilla.cluster c
            left join lateral (
                select * from flotilla.config_change where version > \(version.rawValue)
                order by version limit \(limit)
            ) h on true
            order by h.version
            """)
        guard let first = rows.first, try first.reading(column: 0, as: Bool.self) else { return nil }
        var changes: [ConfigChange] = []
        for row in rows {
            guard let version = try row.reading(column: 1, as: Int64?.self) else { continue }
            let kinds = try row.reading(column: 2, as: [String].self)
            let subjects = try row.reading(column: 3, as: [String].self)
            let names = zip(kinds, subjects).map { CacheName(kind: $0, subject: $1) }
            changes.append(ConfigChange(version: ConfigVersion(version), names: names))
        }
        return changes
    }
}
