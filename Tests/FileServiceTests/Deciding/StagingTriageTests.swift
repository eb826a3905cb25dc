import ClusterModel
import ClusterPorts
import FileService
import Foundation
import Testing

struct StagingTriageTests {
    private func member(_ number: Int64, _ status: MemberStatus) throws -> Member {
        let right = try Samples.right(number)
        let day = Date(timeIntervalSince1970: 0)
        return Member(
            slot: right.slot, name: right.name, incarnation: right.incarnation, status: status, heartbeats: 1,
            lastHeartbeat: day, joinedAt: day, unbrokenSince: day,
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2), version: "1", attributes: [:],
            capacity: 1,
            load: .idle)
    }

    @Test func `only what is surely dead and cleared is looked through`() throws {
        let members = [
            try self.member(5, .active), try self.member(6, .draining), try self.member(7, .dead),
            try self.member(8, .dead),
        ]
        let right = try Samples.right(8)
        let departures = [
            Departure(
                incarnation: right.incarnation, slot: right.slot, name: right.name, reason: "", at: Date())
        ]
        func verdict(_ number: Int64) throws -> StagingTriage.Verdict {
            StagingTriage.verdict(
                try Samples.incarnation(number), own: try Samples.incarnation(5), members: members,
                departures: departures)
        }
        #expect(try verdict(5) == .leave)
        #expect(try verdict(6) == .leave)
        #expect(try verdict(7) == .clear)
        // Its departure is still to be cleared.
        #expect(try verdict(8) == .leave)
        // Pruned, or about to join late.
        #expect(try verdict(3) == .clearKeepingFolder)
        // About to join.
        #expect(try verdict(9) == .leave)
    }

    @Test func `what a row names is kept`() throws {
        let kept = try Samples.staged("kept")
        let useless = try Samples.staged("useless")
        let path = try Samples.path("a")
        let row = UnfinishedName(
            operation: try Samples.operation(), incarnation: try Samples.incarnation(1), path: path,
            change: .publish(path: path, staged: kept, digest: nil, replaces: true))
        #expect(
            StagingTriage.useless([kept.name, useless.name], named: [row], segments: []) == [useless.name])
        #expect(StagingTriage.useless([kept.name], named: [], segments: []) == [kept.name])
        #expect(
            StagingTriage.useless([kept.name, useless.name], named: [], segments: [kept.name]) == [
                useless.name
            ])
    }
}
