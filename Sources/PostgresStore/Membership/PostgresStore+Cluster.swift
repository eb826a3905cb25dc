package import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.Date
import struct Foundation.UUID

/// The cluster's own row: who it is, its mount, its incarnations, its view.
extension PostgresStore {
    package func facts() async throws(StoreError) -> ClusterFacts {
        let row = try await self.one(
            """
            select cluster_id, mount_nonce, member_limit, schema_version, min_reader_version, cache_key,
                   config_version,
                   current_setting('max_connections')::int8
                   - current_setting('superuser_reserved_connections')::int8
            from flotilla.cluster
            """)
        let (cluster, nonce, limit, schema, reader, key, config, connections) = try row.reading(
            UUID.self, [UInt8]?.self, Int.self, Int.self, Int.self, [UInt8].self, Int64.self, Int.self)
        return ClusterFacts(
            cluster: ClusterID(cluster),
            mountNonce: try nonce.map { (bytes) throws(StoreError) in try Self.nonce(bytes) },
            memberLimit: limit, schemaVersion: schema, minReaderVersion: reader, cacheKey: key,
            configVersion: ConfigVersion(config), connectionLimit: connections)
    }

    package func recordMount(_ nonce: MountNonce) async throws(StoreError) -> MountNonce {
        // The row's lock orders the callers; who comes second keeps what the first one wrote.
        let row = try await self.one(
            """
            update flotilla.cluster set mount_nonce = coalesce(mount_nonce, \(nonce.bytes)) returning mount_nonce
            """)
        return try Self.nonce(row.reading([UInt8].self))
    }

    private static func nonce(_ bytes: [UInt8]) throws(StoreError) -> MountNonce {
        guard let nonce = MountNonce(bytes) else {
            throw .corrupt("a mount's nonce has \(bytes.count) bytes")
        }
        return nonce
    }

    package func nextIncarnation(above floor: Incarnation?) async throws(StoreError) -> Incarnation {
        // A row instead of a sequence: a sequence cannot be raised to a floor while others draw from it.
        let row = try await self.one(
            """
            update flotilla.cluster
            set last_incarnation = 1 + greatest(
                last_incarnation,
                \(Fragments.timeline) << 40,
                \(floor?.rawValue ?? 0))
            returning last_incarnation
            """)
        return try Incarnation(stored: row.reading(Int64.self))
    }

    package func view() async throws(StoreError) -> ClusterView {
        let rows = try await self.run(
            """
            select c.cluster_id, c.view_version, c.member_limit, c.schema_version, c.config_version,
                   clock_timestamp(), c.leader_slot, c.leader_incarnation, c.leader_term,
                   m.slot is not null, \(MemberRow.columns)
            from flotilla.cluster c left join flotilla.member m on true
            order by m.slot
            """)
        guard let first = rows.first else { throw .corrupt("the cluster's row is missing") }
        var members: [Member] = []
        for row in rows where try row.reading(column: 9, as: Bool.self) {
            members.append(try MemberRow.member(row, from: 10))
        }
        return ClusterView(
            cluster: ClusterID(try first.reading(column: 0, as: UUID.self)),
            version: try first.reading(column: 1, as: Int64.self),
            memberLimit: try first.reading(column: 2, as: Int.self),
            schemaVersion: try first.reading(column: 3, as: Int.self),
            configVersion: ConfigVersion(try first.reading(column: 4, as: Int64.self)),
            members: members, readAt: try first.reading(column: 5, as: Date.self),
            leader: try Self.leader(first))
    }

    private static func leader(_ row: PostgresRow) throws(StoreError) -> Leadership? {
        let slot = try row.reading(column: 6, as: Int16?.self)
        let incarnation = try row.reading(column: 7, as: Int64?.self)
        guard let slot, let incarnation else { return nil }
        return Leadership(
            slot: Slot(slot), incarnation: try Incarnation(stored: incarnation),
            term: try row.reading(column: 8, as: Int64.self))
    }
}
