import ClusterModel
package import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Limits, weights and places. Each change is told in the feed.
extension PostgresStore {
    package func policies() async throws(StoreError) -> [JobPolicy] {
        try Self.policies(
            await self.queue(
                "select \(Self.policyColumns) from flotilla.job_policy p order by p.scope limit \(10 * Self.batchLimit)"
            ))
    }

    package func set(
        _ policy: JobPolicy, ifRevision revision: Int64?
    ) async throws(StoreError) -> JobPolicy? {
        try policy.check()
        // The number of limits is drawn at once and written with the limit: see ``ClaimStatement``. A lock on the
        // policy's row orders two who set the same one.
        let rows = try await self.queue(
            """
            with before as materialized (
                select p.scope, p.slots, p.settled, p.revision from flotilla.job_policy p
                where p.scope = \(policy.scope.description) for update
            ), numbered as (
                update flotilla.job_limit set number = nextval('flotilla.job_limit_number')
                where \(policy.slots != nil) and not exists (select from before where slots is not null)
            ), set as (
                insert into flotilla.job_policy as p (scope, slots, per_node, weight, requires)
                select \(policy.scope.description), \(policy.slots.map { Int16($0) })::int2,
                       \(policy.perNode.map { Int16($0) })::int2, \(policy.weight), \(policy.requires)
                where \(revision)::int8 is null or exists (select from before where revision = \(revision ?? 0))
                on conflict (scope) do update
                set slots = excluded.slots, per_node = excluded.per_node, weight = excluded.weight,
                    requires = excluded.requires, revision = p.revision + 1, changed_at = clock_timestamp(),
                    settled = p.settled and p.slots is not null and excluded.slots is not null
                where \(revision)::int8 is null or p.revision = \(revision ?? 0)
                returning p.*
            ), fed as (
                insert into flotilla.feed (topic, change, subject, detail)
                select 'job', 'policy', scope, jsonb_build_object('revision', revision, 'slots', slots) from set
            )
            select \(Self.policyColumns), p.slots is not null and not p.settled from set p
            """)
        guard let row = rows.first else { return nil }
        if try row.reading(column: 6, as: Bool.self) {
            // It holds everybody back until this is done; when it fails now, a sweeper does it.
            try? await self.settleLimits()
        }
        return try Self.policies(rows).first
    }

    package func removePolicy(_ scope: JobScope) async throws(StoreError) -> Bool {
        let row = try await self.queueRow(
            """
            with gone as (
                delete from flotilla.job_policy where scope = \(scope.description) returning scope
            ), fed as (
                insert into flotilla.feed (topic, change, subject) select 'job', 'policy-removed', scope from gone
            )
            select exists (select from gone)
            """)
        return try row.reading(Bool.self)
    }

    private static let policyColumns: PostgresStatement =
        "p.scope, p.slots, p.per_node, p.weight::float8, p.requires, p.revision"

    private static func policies(_ rows: PostgresRows) throws(StoreError) -> [JobPolicy] {
        var policies: [JobPolicy] = []
        for row in rows {
            policies.append(
                JobPolicy(
                    scope: try JobScope(stored: row.reading(column: 0, as: String.self)),
                    slots: try row.reading(column: 1, as: Int16?.self).map { Int($0) },
                    perNode: try row.reading(column: 2, as: Int16?.self).map { Int($0) },
                    weight: try row.reading(column: 3, as: Double.self),
                    requires: try row.reading(column: 4, as: [String].self),
                    revision: try row.reading(column: 5, as: Int64.self)))
        }
        return policies
    }
}

extension JobScope {
    init(stored text: String) throws(StoreError) {
        if text.hasPrefix("kind:"), let kind = JobKind(String(text.dropFirst(5))) {
            self = .kind(kind)
        } else if text.hasPrefix("account:"), let id = UUID(uuidString: String(text.dropFirst(8))) {
            self = .account(AccountID(id))
        } else {
            throw .corrupt("“\(text)” is no scope of a policy")
        }
    }
}

extension JobPolicy {
    fileprivate func check() throws(StoreError) {
        let fault: String? =
            if !(0...1_000).contains(self.slots ?? 0) {
                "\(self.slots ?? 0) slots; 0 to 1,000 are allowed"
            } else if !(1...1_000).contains(self.perNode ?? 1) {
                "\(self.perNode ?? 0) on a node; 1 to 1,000 are allowed"
            } else if !(self.weight > 0 && self.weight <= 1_000) {
                "weight \(self.weight); above 0 and at most 1,000 is allowed"
            } else if self.requires.count > 16
                || !self.requires.allSatisfy({ (1...200).contains($0.utf8.count) })
            {
                "at most 16 required attributes of 1 to 200 bytes are allowed"
            } else {
                nil
            }
        if let fault { throw .refused(sqlState: "22023", message: "policy of \(self.scope): \(fault)") }
    }
}
