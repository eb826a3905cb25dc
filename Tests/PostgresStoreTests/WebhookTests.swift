import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import PostgresDriver
import PostgresStore
import Testing

@Suite struct WebhookTests {
    @Test func `a webhook is created, found, listed, changed and removed`() async throws {
        try await withTestDatabase { db in
            _ = try await db.account("alice")
            let made = try await db.webhook(
                "b", [.fileMoved, .filePublished], account: "alice", below: "in", ordered: true)
            #expect(made.revision == 1 && made.enabled && made.account?.description == "alice")
            #expect(
                made.events == [.fileMoved, .filePublished] && made.below.description == "/in" && made.ordered
            )
            #expect(try await db.store.webhook(named: made.name) == made)
            let target = try #require(try await db.store.target(made.id))
            #expect(target.webhook == made && target.secret.text == "0123456789abcdef")
            #expect("\(target.secret)" == "(secret)")
            try await db.webhook("a")
            try await db.webhook("c")

            var query = WebhookQuery()
            query.limit = 2
            #expect(try await db.store.webhooks(query).map(\.name.description) == ["a", "b"])
            query.after = made.name
            #expect(try await db.store.webhooks(query).map(\.name.description) == ["c"])
            query = WebhookQuery()
            query.account = made.account
            #expect(try await db.store.webhooks(query) == [made])

            var change = WebhookChange()
            change.address = try WebhookAddress("https://example.org/x")
            change.events = [.folderMoved]
            change.secret = WebhookSecret("fedcba9876543210")
            change.maxAttempts = 3
            change.below = .home
            let answer = try await db.store.change(made.name, change, ifRevision: 1)
            guard case .changed(let changed) = answer else {
                Issue.record("\(answer)")
                return
            }
            #expect(changed.revision == 2 && changed.events == [.folderMoved] && changed.maxAttempts == 3)
            #expect(changed.below.isHome && changed.ordered && changed.address == change.address)
            #expect(try await db.store.target(made.id)?.secret == change.secret)
            guard case .conflict(2) = try await db.store.change(made.name, change, ifRevision: 1) else {
                Issue.record("an old revision was taken")
                return
            }
            guard case .conflict(2) = try await db.store.remove(made.name, ifRevision: 1),
                case .changed(changed) = try await db.store.remove(made.name, ifRevision: 2),
                case .unknown = try await db.store.remove(made.name, ifRevision: nil)
            else {
                Issue.record("removal does not ask for the revision")
                return
            }
            #expect(try await db.store.target(made.id) == nil)
        }
    }

    @Test func `names are taken once, accounts must exist, and there is a bound`() async throws {
        try await withTestDatabase { db in
            try await db.webhook("a")
            var new = NewWebhook(
                name: try #require(WebhookName("a")), events: [.fileMoved],
                address: try WebhookAddress("http://localhost"),
                secret: try #require(WebhookSecret("0123456789abcdef")))
            #expect(try await db.store.create(new) == .taken)
            new.name = try #require(WebhookName("b"))
            new.account = AccountName("nobody")
            #expect(try await db.store.create(new) == .unknownAccount)
            new.account = nil
            for number in 1..<WebhookLimits.most { try await db.webhook("n\(number)") }
            #expect(try await db.store.create(new) == .tooMany)
        }
    }

    @Test func `a test is a job of one attempt that is ready at once`() async throws {
        try await withTestDatabase { db in
            let webhook = try await db.webhook("a")
            let job = try #require(try await db.store.enqueueTest(of: webhook.name, by: "tester"))
            #expect(
                try await db.number(
                    """
                    select count(*) from flotilla.job j join flotilla.ready r on r.job = j.id and r.lane = j.lane
                    where j.id = \(job.rawValue) and j.max_attempts = 1 and j.submitter = 'tester'
                    """) == 1)
            let told = try #require(try await db.payloads().first?["event"] as? [String: Any])
            #expect(told["kind"] as? String == "webhook.test" && told["id"] is Int64)
            #expect(try await db.store.enqueueTest(of: #require(WebhookName("x")), by: "tester") == nil)
        }
    }

    @Test func `only who holds a job may disable the webhook`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let webhook = try await db.webhook("a")
            let title = JobTitle(
                job: try #require(JobID(rawValue: 7)), epoch: try #require(Epoch(rawValue: 11)))
            func disable() async throws -> Bool {
                try await db.store.disable(webhook.id, because: "410", holding: title, by: node.right)
            }
            #expect(try await !disable())
            try await db.sql(
                """
                insert into flotilla.claim
                select (jsonb_populate_record(null::flotilla.claim, jsonb_build_object(
                    'incarnation', \(node.right.incarnation.rawValue), 'job', 7, 'epoch', 11, 'slot', 1, 'lane', 1,
                    'rank', 0, 'attempt', 1, 'claimed_at', now(), 'keyed', false, 'limited', false))).*
                """)
            #expect(try await disable())
            let now = try #require(try await db.store.webhook(named: webhook.name))
            #expect(!now.enabled && now.disabledBecause == "410" && now.revision == 2)
            #expect(try await !disable())
            var change = WebhookChange()
            change.enabled = true
            guard case .changed(let again) = try await db.store.change(webhook.name, change, ifRevision: 2)
            else {
                Issue.record("it was not enabled")
                return
            }
            #expect(again.enabled && again.disabledBecause == nil)
        }
    }
}
