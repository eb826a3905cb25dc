import ClusterModel
import ClusterPorts
import Foundation
import HTTPDoor
import HTTPTypes
import Testing

@Suite struct DoorValueTests {
    @Test func `every kind of problem is in the table of errors`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let table = try String(contentsOf: root.appending(path: "docs/api/errors.md"), encoding: .utf8)
        let listed = Set(table.matches(of: /\| `([a-z-]+)` \|/).map { String($0.output.1) })
        #expect(listed == Set(ProblemKind.allCases.map(\.rawValue)))
    }

    @Test func `a document has its own members whatever the fields are`() {
        let problem = Problem(.conflict, .parentMissing, "x").with("status", "7").with("path", "/a")
        #expect(problem.document["status"] == .number(409))
        #expect(problem.document["type"] == .text("urn:flotilla:problem:parent-missing"))
        #expect(problem.document["path"] == .text("/a"))
    }

    @Test func `a forwarded address counts only from a trusted proxy`() {
        func address(_ peer: String, _ header: String?, _ trusted: Set<String>) -> String {
            ForwardedClient.address(peer: peer, forwardedFor: header, trusted: trusted)
        }
        #expect(address("10.0.0.1", "1.2.3.4", []) == "10.0.0.1")
        #expect(address("10.0.0.1", "1.2.3.4", ["10.0.0.1"]) == "1.2.3.4")
        #expect(address("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", ["10.0.0.1", "10.0.0.2"]) == "1.2.3.4")
        #expect(address("10.0.0.1", "6.6.6.6, 1.2.3.4", ["*"]) == "1.2.3.4")
        #expect(address("10.0.0.1", "nonsense", ["*"]) == "10.0.0.1")
    }

    @Test func `a day or an hour that does not exist is no time`() {
        for text in [
            "2026-01-31T23:59:59Z", "2024-02-29T00:00:00.5Z", "2026-01-01T00:00:00+14:00",
        ] { #expect(Timestamp.date(text) != nil, "\(text)") }
        for text in [
            "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z", "0000-01-01T00:00:00Z",
            "10000-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01",
        ] { #expect(Timestamp.date(text) == nil, "\(text)") }
    }

    @Test func `readiness follows the standing`() throws {
        let incarnation = try #require(Incarnation(rawValue: 1))
        let name = try #require(NodeName("worker-1"))
        let right = NodeRight(slot: Slot(1), incarnation: incarnation, name: name)
        func status(_ standing: Standing) -> String {
            Health.answer(.ready, standing: standing, hasJoined: true).status
        }
        #expect(status(.serving(right, ConfigVersion(1))) == "ok")
        #expect(status(.draining(right, ConfigVersion(1))) == "draining")
        #expect(status(.stale(right)) == "unavailable")
        #expect(status(.isolated(right)) == "unavailable")
        #expect(status(.outside) == "unavailable")
        #expect(
            Health.answer(.ready, standing: .sick(right, reason: "gone"), hasJoined: true).reason == "gone")
        let words = [
            ("draining", Standing.draining(right, ConfigVersion(1))), ("stale", .stale(right)),
            ("isolated", .isolated(right)), ("sick", .sick(right, reason: "gone")), ("outside", .outside),
        ]
        for (word, standing) in words {
            #expect(Health.answer(.ready, standing: standing, hasJoined: true).standing == word)
        }
        #expect(Health.answer(.live, standing: .outside, hasJoined: false).status == "ok")
        #expect(Health.answer(.startup, standing: .outside, hasJoined: false).status == "starting")
    }

    @Test func `the gauge refuses what is too much, and counts that`() {
        let gauge = RequestGauge(capacity: 4)
        #expect(gauge.begin(atMost: 2) && gauge.begin(atMost: 2) && !gauge.begin(atMost: 2))
        #expect(gauge.sample().inFlight == 2)
        gauge.refused(by: .account)
        gauge.refused(by: .work)
        gauge.end()
        #expect(gauge.begin(atMost: 2))
        let refusals = gauge.refusals()
        #expect(refusals.node == 1 && refusals.account == 1 && refusals.work == 1)
        gauge.answered(in: .milliseconds(3))
        gauge.answered(in: .milliseconds(4))
        #expect(gauge.quickAnswers() == QuickAnswers(count: 2, nanoseconds: 7_000_000))
    }

    @Test func `an account's place is free again when nobody has it any more`() throws {
        let gauge = AccountGauge(limit: 1)
        let alice = try #require(AccountName("alice"))
        let bob = try #require(AccountName("bob"))
        var place = gauge.enter(alice)
        #expect(place != nil && gauge.enter(alice) == nil && gauge.enter(bob) != nil)
        place = nil
        #expect(place == nil && gauge.enter(alice) != nil)
    }

    @Test func `the gauge counts what is in hand`() {
        let gauge = RequestGauge(capacity: 4)
        gauge.begin()
        gauge.begin()
        #expect(gauge.sample() == LoadSample(inFlight: 2, load: 0.5))
        gauge.end()
        #expect(gauge.sample().inFlight == 1)
    }
}
