package import ClusterModel
package import ClusterPorts
import PostgresDriver

package import struct Foundation.UUID

/// What jobs have to do with webhooks.
extension PostgresStore {
    /// The event has a number of its own and no row: nothing happened.
    package func enqueueTest(of name: WebhookName, by who: String) async throws(StoreError) -> JobID? {
        let rows = try await self.run(
            """
            with asked as materialized (
                select w.id, w.account_id, a.name as account, flotilla.job_lane('webhook', w.account_id, '{}') as lane,
                       clock_timestamp() as at, nextval('flotilla.event_number') as event
                from flotilla.webhook w left join flotilla.account a on a.id = w.account_id
                where w.name = \(name.description)
            ), enqueued as (
                -- One attempt: whoever tests is waiting for the answer.
                insert into flotilla.job (lane, kind, account_id, max_attempts, submitter, payload)
                select lane, 'webhook', account_id, 1, \(who), jsonb_build_object(
                    'webhook', id, 'event', jsonb_strip_nulls(jsonb_build_object(
                        'id', event, 'kind', 'webhook.test', 'account', account, 'account_id', account_id,
                        'at', to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))))
                from asked
                returning id, lane
            ), readied as (
                insert into flotilla.ready (lane, rank, job)
                select e.lane, flotilla.job_rank(a.at, 5::smallint), e.id from enqueued e cross join asked a
            )
            select id from enqueued
            """)
        guard let row = rows.first else { return nil }
        self.doorbell?.ring()
        return try JobID(stored: row.reading(column: 0, as: Int64.self))
    }

    package func disable(
        _ id: UUID, because reason: String, holding title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Bool {
        let rows = try await self.run(
            """
            with \(Fragments.me(right))
            update flotilla.webhook
            set enabled = false, disabled_because = \(reason), revision = revision + 1, changed_at = clock_timestamp()
            where id = \(id) and enabled and exists (select from me) and exists (
                select from flotilla.claim
                where incarnation = \(right.incarnation.rawValue) and job = \(title.job.rawValue)
                  and epoch = \(title.epoch.rawValue))
            """)
        return rows.affectedRows > 0
    }
}
