import ClusterModel
import ClusterPorts
import ClusterTestKit
import Foundation
import Logging
import PostgresDriver
import PostgresStore
import Testing
import WorkService

/// A webhook, its sender and a database behind them.
private struct Bench: Sendable {
    let database: TestDatabase
    let sender: WebhookSender
    let handler: WebhookHandler
    let webhook: Webhook
    static let secret = "flw_a-secret-of-the-tests"

    static func with(
        port: Int, times: WebhookTimes = WebhookTimes(), slots: Int = 64, _ work: (Bench) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            let sender = WebhookSender(times: times, reach: .any, slots: slots)
            let result: Result<Void, any Error>
            do {
                let name = try #require(WebhookName("test"))
                let new = NewWebhook(
                    name: name, events: [.filePublished],
                    address: try WebhookAddress("http://127.0.0.1:\(port)/hook?x=1"),
                    secret: try #require(WebhookSecret(Self.secret)))
                guard case .created(let webhook) = try await database.store.create(new) else {
                    throw NeverHappened(description: "the webhook was not created")
                }
                let handler = WebhookHandler(
                    webhooks: database.store, sender: sender, version: "1.2.3",
                    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
                    now: { Date(timeIntervalSince1970: 1_800_000_000.9) })
                try await work(
                    Bench(database: database, sender: sender, handler: handler, webhook: webhook))
                result = .success(())
            } catch {
                result = .failure(error)
            }
            try await sender.close()
            try result.get()
        }
    }

    func job(attempt: Int = 1, epoch: Int64 = 11, payload: String? = nil, kind: String = "file.published")
        throws
        -> ClaimedJob
    {
        let event =
            #"{"id": 5, "kind": "\#(kind)", "at": "2026-11-22T12:00:00.000Z", "account": "alice", "#
            + #""account_id": "00000000-0000-0000-0000-000000000001", "path": "/in/ä", "size": 9007199254740993}"#
        return ClaimedJob(
            title: JobTitle(
                job: try #require(JobID(rawValue: 7)), epoch: try #require(Epoch(rawValue: epoch))),
            lane: JobLane(1), kind: WorkKind.webhook, account: nil,
            payload: payload ?? #"{"webhook": "\#(self.webhook.id)", "event": \#(event)}"#,
            bytes: 0, attempt: attempt, maxAttempts: 20, deadline: nil, checkpoint: nil, waited: .zero)
    }
}

@Suite struct HandlerTests {
    @Test func `a message is signed and the same at each attempt`() async throws {
        try await Receiver.with([
            Receiver.answer("503 Busy", ["Retry-After: 20"]),
            Receiver.answer("200 OK", body: "thanks\n\u{7}"),
        ]) { receiver in
            try await Bench.with(port: receiver.port) { bench in
                let first = try await bench.handler.run(bench.job(), TestDesk())
                guard case .retry(let pause, let reason) = first else {
                    Issue.record("\(first)")
                    return
                }
                #expect(
                    pause >= .seconds(20) && pause <= .seconds(22) && reason == "the receiver answered 503")
                let second = try await bench.handler.run(bench.job(attempt: 2, epoch: 12), TestDesk())
                #expect(second == .done(note: "200: thanks"))

                let received = receiver.received
                #expect(received.count == 2 && received[0].body == received[1].body)
                let one = try #require(received.first)
                #expect(one.line == "POST /hook?x=1 HTTP/1.1")
                #expect(one.headers["content-type"] == "application/json")
                #expect(one.headers["user-agent"] == "Flotilla/1.2.3")
                #expect(one.headers["flotilla-event"] == "file.published")
                #expect(
                    one.headers["flotilla-delivery"] == "7"
                        && one.headers["flotilla-timestamp"] == "1800000000")
                #expect(received.map { $0.headers["flotilla-epoch"] } == ["11", "12"])
                #expect(received.map { $0.headers["flotilla-attempt"] } == ["1", "2"])
                let key = "5-\(bench.webhook.id.uuidString.lowercased())"
                #expect(received.map { $0.headers["idempotency-key"] } == [key, key])
                let body = String(decoding: one.body, as: UTF8.self)
                #expect(
                    body == #"{"account":"alice","account_id":"00000000-0000-0000-0000-000000000001","#
                        + #""at":"2026-11-22T12:00:00.000Z","id":5,"kind":"file.published","path":"/in/ä","#
                        + #""size":9007199254740993,"webhook":"test"}"#)
                let signed = try await Self.openSSL(Bench.secret, Data("1800000000.".utf8) + Data(one.body))
                #expect(one.headers["flotilla-signature"] == "v1=\(signed)")
            }
        }
    }

    @Test func `redirects are not followed, and refusals are final`() async throws {
        try await Receiver.with([
            Receiver.answer("302 Found", ["Location: /elsewhere"]),
            Receiver.answer("404 Not Found", body: String(repeating: "x", count: 5_000)),
        ]) { receiver in
            try await Bench.with(port: receiver.port) { bench in
                let redirected = await bench.handler.run(try bench.job(), TestDesk())
                #expect(redirected == .failed(reason: "redirects are not followed; it answered 302"))
                let refused = await bench.handler.run(try bench.job(), TestDesk())
                let kept = String(repeating: "x", count: WebhookSender.kept)
                #expect(refused == .failed(reason: "the receiver answered 404: \(kept)"))
                #expect(receiver.received.count == 2)
            }
        }
    }

    @Test func `no answer in time, a cut answer, no HTTP and nobody there are tried again`() async throws {
        try await Receiver.with([
            .hanging(""), .text(""), .text("HTTP/1.1 200 O"), .text("SSH-2.0-OpenSSH\r\n\r\n"),
        ]) { receiver in
            var times = WebhookTimes()
            times.whole = .milliseconds(300)
            try await Bench.with(port: receiver.port, times: times) { bench in
                for expected in ["no answer in time", "the connection was closed before an answer", nil, nil]
                {
                    let end = try await bench.handler.run(bench.job(), TestDesk())
                    guard case .retry(let pause, let reason) = end else {
                        Issue.record("\(end)")
                        continue
                    }
                    #expect(pause <= .seconds(1))
                    if let expected { #expect(reason == expected) }
                }
                #expect(receiver.received.count == 4)
            }
        }
        try await Bench.with(port: 1) { bench in
            let end = try await bench.handler.run(bench.job(), TestDesk())
            guard case .retry(_, let reason) = end else {
                Issue.record("\(end)")
                return
            }
            #expect(reason == "Connection refused")
        }
    }

    @Test func `a status counts although the body hangs or breaks off`() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        try await Receiver.with([.hanging(head), .text(head)]) { receiver in
            var times = WebhookTimes()
            times.body = .milliseconds(300)
            try await Bench.with(port: receiver.port, times: times) { bench in
                for _ in 0..<2 {
                    let end = await bench.handler.run(try bench.job(), TestDesk())
                    #expect(end == .done(note: "200: half"))
                }
            }
        }
    }

    @Test func `a webhook that is removed, disabled or unknown ends the job without a message`() async throws
    {
        try await Receiver.with([Receiver.answer("200 OK")]) { receiver in
            try await Bench.with(port: receiver.port) { bench in
                #expect(
                    try await bench.handler.run(bench.job(), TestDesk(draining: true))
                        == .givenBack(reason: "the node drains"))
                #expect(
                    try await bench.handler.run(bench.job(), TestDesk(held: false))
                        == .givenBack(reason: "the claim was lost before anything was sent"))
                #expect(
                    try await bench.handler.run(bench.job(payload: "{}"), TestDesk())
                        == .failed(reason: "the payload is no event for a webhook"))
                var change = WebhookChange()
                change.enabled = false
                _ = try await bench.database.store.change(bench.webhook.name, change, ifRevision: nil)
                #expect(
                    try await bench.handler.run(bench.job(), TestDesk())
                        == .done(note: "not sent: the webhook is disabled"))
                #expect(receiver.received.isEmpty)
                let test = try await bench.handler.run(bench.job(kind: "webhook.test"), TestDesk())
                #expect(test == .done(note: "200") && receiver.received.count == 1)
                _ = try await bench.database.store.remove(bench.webhook.name, ifRevision: nil)
                #expect(
                    try await bench.handler.run(bench.job(), TestDesk())
                        == .done(note: "not sent: the webhook was removed"))
                #expect(receiver.received.count == 1)
            }
        }
    }

    @Test func `a receiver that is gone disables the webhook`() async throws {
        try await Receiver.with([Receiver.answer("410 Gone", body: "moved out")]) { receiver in
            try await Bench.with(port: receiver.port) { bench in
                let node = try await JoinedNode.join(bench.database)
                try await bench.database.claim(job: 7, epoch: 11, by: node)
                let end = try await bench.handler.run(bench.job(), TestDesk(right: node.right))
                #expect(
                    end == .failed(reason: "the receiver answered 410: moved out; the webhook is disabled"))
                let now = try #require(try await bench.database.store.webhook(named: bench.webhook.name))
                #expect(!now.enabled && now.disabledBecause == "the receiver answered 410: moved out")
            }
        }
    }

    @Test func `a receiver that hangs gets a part of the slots, and what is too much comes later`()
        async throws
    {
        try await Receiver.with([.hanging("")]) { hanging in
            try await Receiver.with([Receiver.answer("200 OK")]) { other in
                try await Bench.with(port: hanging.port, slots: 8) { bench in
                    let job = try bench.job()
                    try await withThrowingTaskGroup(of: JobEnd.self) { group in
                        for _ in 0..<8 { group.addTask { await bench.handler.run(job, TestDesk()) } }
                        // Six of eight are under way; the others know soon that it is not their turn.
                        for _ in 0..<2 {
                            guard case .postponed(let pause, _)? = try await group.next() else {
                                Issue.record("one more than its part is under way")
                                return
                            }
                            #expect(ReceiverShares.pauses.contains(pause))
                        }
                        var change = WebhookChange()
                        change.address = try WebhookAddress("http://127.0.0.1:\(other.port)/")
                        _ = try await bench.database.store.change(bench.webhook.name, change, ifRevision: nil)
                        let answered = await bench.handler.run(job, TestDesk())
                        #expect(answered == .done(note: "200"))
                        #expect(hanging.received.count == 6)
                        group.cancelAll()
                        for try await end in group {
                            guard case .givenBack = end else {
                                Issue.record("\(end)")
                                continue
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func `nothing is sent to the node itself unless that is allowed`(host: String) async throws {
        try await Receiver.with([Receiver.answer("200 OK")]) { receiver in
            for reach in [ReceiverReach.internet, .network] {
                let sender = WebhookSender(reach: reach, slots: 4)
                let answers = await [
                    sender.post(Self.request(host, receiver.port)),
                    sender.post(Self.request(host, receiver.port)),
                ]
                try await sender.close()
                for answer in answers {
                    guard case .unanswered(let reason) = answer else {
                        Issue.record("\(answer)")
                        continue
                    }
                    #expect(reason.contains("webhooks.reach"), "\(reason)")
                }
            }
            #expect(receiver.received.isEmpty)
            let sender = WebhookSender(reach: .any, slots: 4)
            let answer = await sender.post(Self.request("127.0.0.1", receiver.port))
            try await sender.close()
            guard case .answered(status: 200, _, _) = answer else {
                Issue.record("\(answer)")
                return
            }
        }
    }

    private static func request(_ host: String, _ port: Int) -> WebhookRequest {
        WebhookRequest(address: "http://\(host):\(port)/", headers: [], body: [1])
    }

    @Test func `a cancelled job breaks off what is in flight`() async throws {
        try await Receiver.with([.hanging("")]) { receiver in
            try await Bench.with(port: receiver.port) { bench in
                let job = try bench.job()
                let end = await withTaskGroup(of: JobEnd?.self) { group in
                    group.addTask { await bench.handler.run(job, TestDesk()) }
                    try? await eventually("a request") { receiver.received.count == 1 }
                    group.cancelAll()
                    return await group.next() ?? nil
                }
                #expect(end == .givenBack(reason: "broken off; whether the receiver got it is unknown"))
            }
        }
    }

    /// The same signature by somebody else's hand.
    private static func openSSL(_ secret: String, _ data: Data) async throws -> String {
        let folder = try ScratchFolder("signature")
        let file = folder.path + "/signed"
        try data.write(to: URL(filePath: file))
        let output = try await Program.output(
            "/usr/bin/openssl", ["dgst", "-sha256", "-hmac", secret, "-r", file])
        withExtendedLifetime(folder) {}
        return String(output.prefix(64))
    }
}
