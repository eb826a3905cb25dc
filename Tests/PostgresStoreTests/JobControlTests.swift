import ClusterModel
import ClusterPorts
import ClusterTestKit
import PostgresDriver
import PostgresStore
import Testing

/// What operators see and do.
@Suite struct JobControlTests {
    @Test func `every state is listed, by page, by filter and one by one`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let ids = try await db.enqueue(
                [try spec("claimed"), try spec("done"), try spec("failed"), try spec("cancelled")])
            let jobs = try await db.claim(by: node)
            func title(_ index: Int) throws -> JobTitle {
                try #require(jobs.first { $0.title.job == ids[index] }).title
            }
            try await db.finish([try title(1)], .done(note: "well"), by: node)
            try await db.finish([try title(2)], .failed(reason: "badly"), by: node)
            #expect(try await db.store.cancel([ids[3]], by: "me", reason: "stop") == [ids[3]])
            #expect(
                try await db.store.note(
                    JobProgress(fraction: 0.5, note: "half"), of: title(0), by: node.right))
            let more = try await db.enqueue([
                try spec(key: "k"), try spec(key: "k"), try spec(delay: .seconds(60)),
            ])
            var query = JobQuery()
            let all = try await db.store.jobs(query)
            #expect(all.map(\.id) == ids + more)
            #expect(all.map(\.state) == [.claimed, .done, .failed, .cancelled, .ready, .waiting, .later])
            #expect(all[0].node == node.right.name && all[0].progress?.note == "half" && all[0].epoch != nil)
            #expect(all[1].note == "well" && all[5].before == 1 && all[6].dueAt != nil)
            #expect(all[0].spec.payload == #"{"n": 1}"# && all[0].spec.account == someAccount)
            query.limit = 2
            query.newestFirst = true
            query.after = ids[3]
            #expect(try await db.store.jobs(query).map(\.id) == [ids[2], ids[1]])
            query = JobQuery()
            query.states = [.failed, .cancelled]
            #expect(try await db.store.jobs(query).map(\.id) == [ids[2], ids[3]])
            query = JobQuery()
            query.node = node.right.name
            #expect(try await db.store.jobs(query).map(\.id) == [ids[0]])
            query = JobQuery()
            query.orderKey = "k"
            query.kind = JobKind("noop")
            query.submitter = "test"
            query.account = someAccount
            #expect(try await db.store.jobs(query).map(\.id) == [more[0], more[1]])
            for record in all {
                #expect(try #require(try await db.store.job(record.id)).record == record)
            }
            let found = try #require(try await db.store.job(ids[2]))
            #expect(found.history.map(\.change) == ["failed"] && found.history.first?.note == "badly")
            #expect(try await db.store.job(try #require(JobID(rawValue: 99_999))) == nil)
            let counts = try await db.store.counts([.state])
            #expect(counts.map(\.jobs).reduce(0, +) == 7 && counts.count == 7)
            let byKind = try await db.store.counts([.kind, .node])
            #expect(byKind.first { $0.kind == JobKind("noop") }?.jobs == 3)
            #expect(byKind.first { $0.node == node.right.name }?.jobs == 1)
        }
    }

    @Test func `orders end jobs wherever they are, send them back, and forget them`() async throws {
        try await withTestDatabase { db in
            let node = try await JoinedNode.join(db)
            let claimed = try await db.enqueue(try spec(key: "a"))
            let job = try await db.one(by: node)
            let ids = try await db.enqueue(
                [try spec(key: "b"), try spec(key: "b"), try spec(delay: .seconds(60)), try spec(key: "a")])
            #expect(
                try await db.store.cancel([claimed] + ids[0..<3], by: "me", reason: nil) == [claimed]
                    + ids[0..<3])
            #expect(try await db.store.cancel([claimed], by: "me", reason: nil) == [])
            #expect(try await db.finish(job, by: node) == .fenced)
            #expect(
                try await db.store.losses(of: node.right.incarnation, after: 0).map(\.title.epoch) == [
                    job.title.epoch
                ])
            // The next one of the key follows.
            _ = try await db.store.stage(limit: 9, by: node.right)
            #expect(try await db.place(ids[3]) == "ready")
            // Back at the end of its key.
            #expect(try await db.store.retry([claimed, ids[2]], by: "me") == [claimed, ids[2]])
            #expect(try await db.place(claimed) == "waiting")
            #expect(try await db.place(ids[2]) == "ready")
            #expect(try await db.history(claimed) == ["cancelled", "sent-back"])
            try await db.expectNoFaults()
            let jobs = try await db.claim(by: node)
            try await db.finish(jobs.map(\.title), by: node)
            #expect(try await db.one(by: node).title.job == claimed)
            #expect(try await db.store.delete([claimed, ids[0], ids[2]]) == [ids[0], ids[2]])
            #expect(try await db.store.job(ids[0]) == nil)
            let later = try await db.enqueue(try spec(delay: .seconds(60)))
            #expect(try await db.store.retry([later], by: "me") == [later])
            #expect(try await db.place(later) == "ready")
            try await db.expectNoFaults()
        }
    }

    @Test func `policies are set by revision, listed and removed`() async throws {
        try await withTestDatabase { db in
            let scope = JobScope.kind(try #require(JobKind("noop")))
            var policy = JobPolicy(
                scope: scope, slots: nil, perNode: 3, weight: 2.5, requires: ["a=b"], revision: 0)
            #expect(try await db.store.set(policy, ifRevision: 4) == nil)
            policy = try #require(try await db.store.set(policy, ifRevision: nil))
            #expect(policy.revision == 1)
            policy.slots = 4
            #expect(try await db.store.set(policy, ifRevision: 1)?.revision == 2)
            #expect(try await db.store.set(policy, ifRevision: 1) == nil)
            policy.revision = 2
            #expect(try await db.store.policies() == [policy])
            #expect(try await db.store.removePolicy(scope))
            #expect(try await db.store.removePolicy(scope) == false)
            policy.slots = 1_001
            await #expect(throws: StoreError.self) { try await db.store.set(policy, ifRevision: nil) }
        }
    }
}
