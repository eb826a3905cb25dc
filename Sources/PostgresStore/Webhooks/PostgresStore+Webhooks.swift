package import ClusterModel
package import ClusterPorts
import PostgresDriver

package import struct Foundation.UUID

/// Webhooks.
extension PostgresStore: WebhookStore {
    package func create(_ webhook: NewWebhook) async throws(StoreError) -> WebhookCreation {
        let account = webhook.account?.description
        let row = try await self.one(
            """
            with owner as materialized (
                select id from flotilla.account where name = \(account)
            ), w as (
                insert into flotilla.webhook (
                    id, name, enabled, account_id, events, below, url, secret, max_attempts, ordered)
                select \(UUID()), \(webhook.name.description), \(webhook.enabled), (select id from owner),
                       \(WebhookRow.stored(webhook.events)), \(webhook.below.bytes), \(webhook.address.description),
                       \(webhook.secret.text), \(Int16(clamping: webhook.maxAttempts)), \(webhook.ordered)
                where (\(account) is null or exists (select from owner))
                  and (select count(*) from flotilla.webhook) < \(WebhookLimits.most)
                on conflict (name) do nothing
                returning *
            )
            select case
                when exists (select from w) then 'created'
                when \(account) is not null and not exists (select from owner) then 'unknownAccount'
                when exists (select from flotilla.webhook where name = \(webhook.name.description)) then 'taken'
                when (select count(*) from flotilla.webhook) >= \(WebhookLimits.most) then 'tooMany'
                else 'taken' end, \(WebhookRow.columns)
            from (select) one left join w on true
            """)
        let answer = try row.reading(column: 0, as: String.self)
        switch answer {
        case "created": return .created(try WebhookRow.webhook(row, from: 1))
        case "unknownAccount": return .unknownAccount
        case "taken": return .taken
        case "tooMany": return .tooMany
        default: throw .corrupt("“\(answer)” is no answer to a new webhook")
        }
    }

    package func webhooks(_ query: WebhookQuery) async throws(StoreError) -> [Webhook] {
        try Self.check(batch: query.limit)
        let rows = try await self.run(
            """
            select \(WebhookRow.columns) from flotilla.webhook w
            where w.name > \(query.after?.description ?? "")
              and (\(query.enabled) is null or w.enabled = \(query.enabled))
              and (\(query.account?.description) is null or w.account_id = (
                    select id from flotilla.account where name = \(query.account?.description)))
            order by w.name limit \(query.limit)
            """)
        var webhooks: [Webhook] = []
        for row in rows { webhooks.append(try WebhookRow.webhook(row)) }
        return webhooks
    }

    package func webhook(named name: WebhookName) async throws(StoreError) -> Webhook? {
        let rows = try await self.run(
            "select \(WebhookRow.columns) from flotilla.webhook w where w.name = \(name.description)")
        guard let row = rows.first else { return nil }
        return try WebhookRow.webhook(row)
    }

    package func target(_ id: UUID) async throws(StoreError) -> WebhookTarget? {
        let rows = try await self.run(
            "select w.secret, \(WebhookRow.columns) from flotilla.webhook w where w.id = \(id)")
        guard let row = rows.first else { return nil }
        return WebhookTarget(
            webhook: try WebhookRow.webhook(row, from: 1),
            secret: try WebhookSecret(stored: row.reading(column: 0, as: String.self)))
    }

    package func change(
        _ name: WebhookName, _ change: WebhookChange, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Webhook> {
        try await self.changed(
            name, ifRevision: revision,
            by: """
                update flotilla.webhook c
                set enabled = coalesce(\(change.enabled), c.enabled),
                    disabled_because = case when \(change.enabled) is null then c.disabled_because end,
                    events = coalesce(\(change.events.map(WebhookRow.stored)), c.events),
                    below = coalesce(\(change.below?.bytes), c.below),
                    url = coalesce(\(change.address?.description), c.url),
                    secret = coalesce(\(change.secret?.text), c.secret),
                    max_attempts = coalesce(\(change.maxAttempts.map { Int16(clamping: $0) }), c.max_attempts),
                    ordered = coalesce(\(change.ordered), c.ordered),
                    revision = c.revision + 1, changed_at = clock_timestamp()
                from target t
                """)
    }

    package func remove(
        _ name: WebhookName, ifRevision revision: Int64?
    ) async throws(StoreError) -> ChangeAnswer<Webhook> {
        try await self.changed(
            name, ifRevision: revision, by: "delete from flotilla.webhook c using target t")
    }

    private func changed(
        _ name: WebhookName, ifRevision revision: Int64?, by order: PostgresStatement
    ) async throws(StoreError) -> ChangeAnswer<Webhook> {
        try await self.changed(
            name.description, in: "flotilla.webhook", as: "w", ifRevision: revision, by: order,
            columns: WebhookRow.columns
        ) { (row) throws(StoreError) in try WebhookRow.webhook(row, from: 2) }
    }
}
