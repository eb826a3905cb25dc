import ClusterModel
import ClusterPorts
import FileService
import Testing

struct BodyRulesTests {
    @Test func `a body has exactly its length, and a body without one has any`() {
        #expect(BodyRules.objection(received: 5, expected: 5) == nil)
        #expect(BodyRules.objection(received: 6, expected: 5) == .bodyTooLong(expected: 5))
        #expect(BodyRules.objection(atEnd: 4, expected: 5) == .bodyTooShort(expected: 5, received: 4))
        #expect(BodyRules.objection(atEnd: 5, expected: 5) == nil)
        #expect(BodyRules.objection(atEnd: 4, expected: nil) == nil)
    }

    @Test func `a digest is compared where one was said`() throws {
        let one = try #require(Digest([UInt8](repeating: 1, count: 32)))
        let two = try #require(Digest([UInt8](repeating: 2, count: 32)))
        #expect(BodyRules.objection(digest: one, expected: nil) == nil)
        #expect(BodyRules.objection(digest: one, expected: one) == nil)
        #expect(
            BodyRules.objection(digest: one, expected: two) == .digestMismatch(expected: two, received: one))
    }

    @Test func `an upload outlives ten seconds of isolation and no death of its node`() throws {
        let start = ContinuousClock.now
        let right = try Samples.right(1)
        var patience = StreamPatience(incarnation: right.incarnation, longest: .seconds(10))
        #expect(patience.objection(.serving(right, ConfigVersion(1)), at: start) == nil)
        #expect(patience.objection(.stale(right), at: start) == nil)
        #expect(patience.objection(.isolated(right), at: start) == nil)
        #expect(patience.objection(.isolated(right), at: start + .seconds(9)) == nil)
        #expect(patience.objection(.isolated(right), at: start + .seconds(10)) != nil)
        #expect(patience.objection(.serving(right, ConfigVersion(1)), at: start + .seconds(11)) == nil)
        // The patience starts anew.
        #expect(patience.objection(.sick(right, reason: "x"), at: start + .seconds(12)) == nil)
        let next = try Samples.right(2)
        #expect(patience.objection(.serving(next, ConfigVersion(1)), at: start + .seconds(13)) != nil)
        #expect(patience.objection(.outside, at: start + .seconds(13)) != nil)
    }
}
