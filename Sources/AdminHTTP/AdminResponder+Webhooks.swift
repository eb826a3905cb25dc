import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Webhooks, and the events that they are told.
extension AdminResponder {
    func answerWebhooks(
        _ route: WebhookRoute, _ request: Request, _ query: [RequestTarget.QueryItem], _ channel: any Channel,
        by asker: String
    ) async throws -> Response {
        switch route {
        case .list: return try await self.listWebhooks(query)
        case .events: return try await self.listEvents(query)
        case .create, .one, .change, .remove, .test, .event: try QueryReader(query).finish()
        }
        switch route {
        case .list, .events: preconditionFailure("\(route) was answered")
        case .create:
            return try await self.createWebhook(WebhookOrder(try await self.body(of: request, channel)))
        case .one(let name): return try await self.showWebhook(name)
        case .change(let name):
            let patch = try WebhookPatch(
                try await self.body(of: request, channel), ifMatch: request.headers[.ifMatch])
            return try await self.changeWebhook(name, patch)
        case .remove(let name):
            return try await self.removeWebhook(name, AccountTag.revision(request.headers[.ifMatch]))
        case .test(let name): return try await self.testWebhook(name, by: asker)
        case .event(let id): return try await self.showEvent(id)
        }
    }

    private func listWebhooks(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try WebhookFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.webhooks(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { WebhookFilters.cursor(after: $0, query) },
            answer: { WebhookAnswer($0) })
        return JSONText.response(.ok, page)
    }

    private func createWebhook(_ order: WebhookOrder) async throws(Problem) -> Response {
        let secret = Self.newSecret()
        guard let new = order.webhook(secret: secret) else {
            preconditionFailure("\(order.name) was not checked")
        }
        let answer = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.create(new)
        }
        switch answer {
        case .created(let webhook):
            // What the operator gave needs not be shown.
            let shown = new.secret == secret ? secret : nil
            return self.show(webhook, .created, secret: shown, location: "/api/v1/webhooks/\(webhook.name)")
        case .taken:
            throw Problem(.conflict, .taken, "there is a webhook “\(new.name)” already")
                .with("name", new.name.description)
        case .unknownAccount:
            throw BodyFields.invalid("account", "there is no account “\(new.account?.description ?? "")”")
        case .tooMany:
            throw Problem(
                .conflict, .tooMany, "there are \(WebhookLimits.most) webhooks; more there may not be")
        }
    }

    private func showWebhook(_ text: String) async throws(Problem) -> Response {
        let name = try Self.name(text)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.webhook(named: name)
        }
        guard let found else { throw AdminProblems.unknown("webhook", text) }
        return self.show(found, .ok)
    }

    private func changeWebhook(_ text: String, _ patch: WebhookPatch) async throws(Problem) -> Response {
        let name = try Self.name(text)
        var change = patch.fields.change
        let secret = patch.fields.wantsNewSecret ? Self.newSecret() : nil
        change.secret = secret ?? change.secret
        let wanted = change
        let answer = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.change(name, wanted, ifRevision: patch.revision)
        }
        return self.show(try Self.changed(answer, text), .ok, secret: secret)
    }

    private func removeWebhook(_ text: String, _ revision: Int64?) async throws(Problem) -> Response {
        let name = try Self.name(text)
        let answer = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.remove(name, ifRevision: revision)
        }
        _ = try Self.changed(answer, text)
        return Response(status: .noContent)
    }

    private func testWebhook(_ text: String, by asker: String) async throws(Problem) -> Response {
        let name = try Self.name(text)
        let job = try await self.onStore { () async throws(StoreError) in
            try await self.webhooks.enqueueTest(of: name, by: asker)
        }
        guard let job else { throw AdminProblems.unknown("webhook", text) }
        return JSONText.response(.accepted, WebhookTestAnswer(job: job))
    }

    private func show(
        _ webhook: Webhook, _ status: HTTPResponse.Status, secret: WebhookSecret? = nil,
        location: String? = nil
    ) -> Response {
        var headers: HTTPFields = [.eTag: AccountTag.text(webhook.revision)]
        headers[.location] = location
        return JSONText.response(status, WebhookAnswer(webhook, secret: secret), headers: headers)
    }

    private static func changed(_ answer: ChangeAnswer<Webhook>, _ name: String) throws(Problem) -> Webhook {
        switch answer {
        case .changed(let webhook): return webhook
        case .unknown: throw AdminProblems.unknown("webhook", name)
        case .conflict(let revision):
            let tag = AccountTag.text(revision)
            throw Problem(.preconditionFailed, .changed, "the webhook has the entity tag \(tag) now")
                .with(header: .eTag, tag)
        }
    }

    private static func name(_ text: String) throws(Problem) -> WebhookName {
        guard let name = WebhookName(text) else { throw AdminProblems.unknown("webhook", text) }
        return name
    }

    private static func newSecret() -> WebhookSecret {
        let text = Secrets.make(Secrets.webhookPrefix)
        guard let secret = WebhookSecret(text) else {
            preconditionFailure("a new secret has forbidden characters")
        }
        return secret
    }

    // MARK: - Events

    private func listEvents(_ items: [RequestTarget.QueryItem]) async throws(Problem) -> Response {
        let (query, limit) = try EventFilters.query(items)
        let found = try await self.onStore { () async throws(StoreError) in
            try await self.events.events(query)
        }
        let page = PageAnswer(
            found, limit: limit, cursor: { EventFilters.cursor(after: $0, query) },
            answer: { EventAnswer($0) })
        return JSONText.response(.ok, page)
    }

    private func showEvent(_ text: String) async throws(Problem) -> Response {
        guard let id = Int64(text).flatMap({ EventID(rawValue: $0) }) else {
            throw AdminProblems.unknown("event", text)
        }
        let found = try await self.onStore { () async throws(StoreError) in try await self.events.event(id) }
        guard let found else { throw AdminProblems.unknown("event", text) }
        return JSONText.response(.ok, EventAnswer(found.record, deliveries: found.deliveries))
    }
}
