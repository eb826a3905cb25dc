import ClusterModel
import ClusterPorts
import DoorTestKit
import FileService
import Foundation
import PostgresStore
import Testing

@Suite struct ScheduleServingTests {
    private func add(_ node: DoorNode, _ name: String, _ more: String = #", "every_seconds": 3600"#)
        async throws -> TestAnswer
    {
        try await node.admin(
            "POST", "/api/v1/schedules", json: #"{"name": "\#(name)", "kind": "noop"\#(more)}"#)
    }

    @Test func `a schedule is made, shown, changed under its tag, and deleted`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let made = try await self.add(
                node, "nightly",
                #", "account": "alice", "daily_at": "02:00", "payload": {"a": [1]}, "missed": "all", "overlap": "skip""#
            )
            #expect(made.status == 201 && made.headers["location"] == "/api/v1/schedules/nightly")
            #expect(made.text("daily_at") == "02:00" && made.member("every_seconds") as? Int == 86_400)
            #expect(
                made.text("missed") == "all" && made.text("overlap") == "skip"
                    && made.text("account") == "alice")
            #expect(made.text("next_at")?.hasSuffix("T02:00:00.000Z") == true)
            #expect(made.text("last_at") == nil && made.member("because") as? [String] == [])
            let shown = try await node.admin("GET", "/api/v1/schedules/nightly")
            let tag = try #require(shown.headers["etag"])
            #expect(shown.status == 200 && tag == made.headers["etag"] && shown.text("id") == made.text("id"))
            #expect((shown.member("firings") as? [Any])?.isEmpty == true)
            #expect((shown.member("payload") as? [String: Any])?["a"] as? [Int] == [1])

            let changed = try await node.admin(
                "PATCH", "/api/v1/schedules/nightly", ["if-match": tag],
                json: #"{"enabled": false, "every_seconds": 60, "anchor": "2026-01-01T00:00:30Z"}"#)
            #expect(changed.status == 200 && changed.member("enabled") as? Bool == false)
            #expect(changed.text("daily_at") == nil && changed.text("next_at") == nil)
            #expect(changed.member("because") as? [String] == ["it is disabled"])
            #expect(changed.text("anchor") == "2026-01-01T00:00:30.000Z")
            let late = try await node.admin(
                "PATCH", "/api/v1/schedules/nightly", ["if-match": tag], json: #"{"enabled": true}"#)
            #expect(
                late.status == 412 && late.problem == "changed"
                    && late.headers["etag"] == changed.headers["etag"])
            #expect(
                try await node.admin("DELETE", "/api/v1/schedules/nightly", ["if-match": tag]).status == 412)
            #expect(try await node.admin("DELETE", "/api/v1/schedules/nightly").status == 204)
            let gone = try await node.admin("GET", "/api/v1/schedules/nightly")
            #expect(gone.status == 404 && gone.problem == "not-found")
            #expect(try await node.admin("POST", "/api/v1/schedules/nightly/run").status == 404)
            #expect(try await node.admin("GET", "/api/v1/schedules/NO").status == 404)
        }
    }

    /// One digit more than is kept.
    private static let long = String(repeating: "1", count: 39)

    @Test func `what is wrong with a schedule is named`() async throws {
        try await DoorNode.with { node in
            #expect(try await self.add(node, "a").status == 201)
            let taken = try await self.add(node, "a")
            #expect(taken.status == 409 && taken.problem == "taken")
            for (more, field) in [
                ("", "every_seconds"), (#", "every_seconds": 9"#, "every_seconds"),
                (#", "every_seconds": 31622401"#, "every_seconds"),
                (#", "every_seconds": "1h""#, "every_seconds"), (#", "daily_at": "25:00""#, "daily_at"),
                (#", "daily_at": "02:00", "every_seconds": 60"#, "daily_at"),
                (#", "daily_at": "02:00", "anchor": "2026-01-01T00:00:00Z""#, "daily_at"),
                (#", "every_seconds": 60, "anchor": "2026-01-01T00:00:00.5Z""#, "anchor"),
                (#", "every_seconds": 60, "anchor": "1969-01-01T00:00:00Z""#, "anchor"),
                (#", "every_seconds": 60, "anchor": "soon""#, "anchor"),
                (#", "every_seconds": 60, "missed": "never""#, "missed"),
                (#", "every_seconds": 60, "overlap": "run""#, "overlap"),
                (#", "every_seconds": 60, "account": "nobody""#, "account"),
                (#", "every_seconds": 60, "account": "NO""#, "account"),
                (#", "every_seconds": 60, "enabled": 1"#, "enabled"),
                (
                    #", "every_seconds": 60, "payload": "\#(String(repeating: "x", count: 16_384))""#,
                    "payload"
                ),
                (#", "every_seconds": 60, "payload": "\u0000""#, "payload"),
                (#", "every_seconds": 60, "payload": {"n": \#(Self.long)}"#, "payload"),
            ] {
                let answer = try await self.add(node, "other", more)
                #expect(
                    answer.status == 400 && answer.problem == "invalid-field"
                        && answer.text("field") == field,
                    "\(more.prefix(100)) \(answer.text)")
            }
            for (body, field) in [
                (#"{"name": "x", "kind": "teleport", "every_seconds": 60}"#, "kind"),
                (#"{"name": "x", "kind": "No", "every_seconds": 60}"#, "kind"),
                (#"{"name": "x", "every_seconds": 60}"#, "kind"),
                (#"{"kind": "noop", "every_seconds": 60}"#, "name"),
                (#"{"name": "X", "kind": "noop", "every_seconds": 60}"#, "name"),
            ] {
                let answer = try await node.admin("POST", "/api/v1/schedules", json: body)
                #expect(answer.status == 400 && answer.text("field") == field, "\(body)")
            }
            #expect(
                try await self.add(node, "other", #", "every_seconds": 60, "cron": "* *""#).problem
                    == "unknown-field")
            #expect(
                try await node.admin("PATCH", "/api/v1/schedules/a", json: "{}").problem == "invalid-body")
            #expect(
                try await node.admin("PATCH", "/api/v1/schedules/a", json: #"{"kind": "noop"}"#).problem
                    == "unknown-field")
            #expect(
                try await node.admin(
                    "PATCH", "/api/v1/schedules/a", json: #"{"payload": [\#(Self.long)]}"#
                ).text("field") == "payload")
            #expect(try await node.admin("GET", "/api/v1/schedules/a?x=1").problem == "unknown-parameter")
            let (_, auditor) = try await node.desk.issueToken(label: "reader", role: .auditor, expiresAt: nil)
            #expect(try await node.admin("DELETE", "/api/v1/schedules/a", token: auditor).status == 403)
            #expect(try await node.admin("POST", "/api/v1/schedules/a/run", token: auditor).status == 403)
            #expect(try await node.admin("GET", "/api/v1/schedules", token: auditor).status == 200)
        }
    }

    @Test func `schedules are listed in pages`() async throws {
        try await DoorNode.with { node in
            for name in ["c", "a", "b"] { #expect(try await self.add(node, name).status == 201) }
            var seen: [String] = []
            var target: String? = "/api/v1/schedules?limit=2&enabled=true&kind=noop"
            while let here = target {
                let page = try await node.admin("GET", here)
                seen += page.items().compactMap { $0["name"] as? String }
                target = page.text("next").map {
                    "/api/v1/schedules?limit=2&enabled=true&kind=noop&cursor=\($0)"
                }
            }
            #expect(seen == ["a", "b", "c"])
            #expect(try await node.admin("GET", "/api/v1/schedules?kind=retention").items().count == 1)
            #expect(try await node.admin("GET", "/api/v1/schedules?enabled=false").items().isEmpty)
            for (query, problem) in [
                ("enabled=maybe", "invalid-parameter"), ("limit=0", "invalid-parameter"),
                ("cursor=abc", "invalid-parameter"), ("kind=NO", "invalid-parameter"),
                ("colour=red", "unknown-parameter"),
            ] {
                #expect(
                    try await node.admin("GET", "/api/v1/schedules?\(query)").problem == problem, "\(query)")
            }
        }
    }

    @Test func `a run by hand is one job for a key, in line with those of the clock`() async throws {
        try await DoorNode.with { node in
            _ = try await node.makeAccount("alice")
            let made = try await self.add(
                node, "a", #", "every_seconds": 60, "account": "alice", "enabled": false"#)
            let run = try await node.admin("POST", "/api/v1/schedules/a/run", ["idempotency-key": "once"])
            #expect(run.status == 202 && run.member("duplicate") as? Bool == false)
            let again = try await node.admin("POST", "/api/v1/schedules/a/run", ["idempotency-key": "once"])
            #expect(again.status == 200 && again.member("duplicate") as? Bool == true)
            #expect(again.member("id") as? Int64 == run.member("id") as? Int64)
            #expect(again.headers["location"] == run.headers["location"])
            let other = try await node.admin("POST", "/api/v1/schedules/a/run")
            #expect(other.status == 202 && other.member("id") as? Int64 != run.member("id") as? Int64)
            let key = try #require(made.text("order_key"))
            let jobs = try await node.admin("GET", "/api/v1/jobs?order_key=\(key)&sort=id").items()
            #expect(jobs.map { $0["state"] as? String } == ["ready", "waiting"])
            #expect(
                jobs.allSatisfy { $0["account"] as? String == "alice" && $0["kind"] as? String == "noop" })
            _ = try await node.admin("PATCH", "/api/v1/schedules/a", json: #"{"payload": 2}"#)
            let reused = try await node.admin("POST", "/api/v1/schedules/a/run", ["idempotency-key": "once"])
            #expect(reused.status == 409 && reused.problem == "taken")
            let long = try await node.admin(
                "POST", "/api/v1/schedules/a/run", ["idempotency-key": String(repeating: "x", count: 201)])
            #expect(long.status == 400 && long.problem == "invalid-header")
        }
    }
}
