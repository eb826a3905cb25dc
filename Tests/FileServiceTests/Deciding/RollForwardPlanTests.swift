import ClusterPorts
import FileService
import Foundation
import Testing

struct RollForwardPlanTests {
    @Test func `each answer of the mount has one verdict`() {
        #expect(RollForwardPlan.verdict(.published(.published)) == .completed)
        #expect(RollForwardPlan.verdict(.published(.superseded)) == .askLog)
        #expect(RollForwardPlan.verdict(.published(.blocked(by: .folder))) == .failed(.blocked(by: .folder)))
        #expect(RollForwardPlan.verdict(.moved(.moved, shownAtTarget: false)) == .completed)
        #expect(RollForwardPlan.verdict(.moved(.notThere, shownAtTarget: true)) == .completed)
        #expect(RollForwardPlan.verdict(.moved(.notThere, shownAtTarget: false)) == .failed(.gone))
        #expect(RollForwardPlan.verdict(.moved(.blocked, shownAtTarget: false)) == .failed(.targetTaken))
        #expect(RollForwardPlan.verdict(.removed(.moved)) == .completed)
        #expect(RollForwardPlan.verdict(.removed(.notThere)) == .completed)
    }

    @Test func `staged bytes that are gone were shown only if the log says so`() throws {
        let operation = try Samples.operation()
        #expect(RollForwardPlan.verdict(afterLog: try Samples.record(operation, .completed)) == .completed)
        #expect(RollForwardPlan.verdict(afterLog: try Samples.record(operation, .running)) == .failed(.lost))
        #expect(RollForwardPlan.verdict(afterLog: nil) == .failed(.lost))
    }

    @Test func `only a failed publication leaves something to discard`() throws {
        let staged = try Samples.staged()
        let path = try Samples.path("a")
        let publish = NameChange.publish(path: path, staged: staged, digest: nil, replaces: false)
        #expect(RollForwardPlan.discards(.blocked(by: .file), of: publish) == staged.name)
        #expect(RollForwardPlan.discards(nil, of: publish) == nil)
        #expect(RollForwardPlan.discards(.gone, of: .move(from: path, to: path, Samples.file)) == nil)
    }

    @Test func `the record says what was done, and the rows of all its names go`() throws {
        let operation = try Samples.operation()
        let incarnation = try Samples.incarnation(1)
        let (from, target) = (try Samples.path("a"), try Samples.path("b"))
        let now = Date(timeIntervalSince1970: 5)
        let moved = RollForwardPlan.finished(
            operation, .move(from: from, to: target, Samples.file), by: incarnation, failure: nil, at: now)
        #expect(moved.names == [from, target])
        #expect(moved.record.kind == .move)
        #expect(moved.record.target == target)
        #expect(moved.record.status == .completed)
        let staged = try Samples.staged()
        let failed = RollForwardPlan.finished(
            operation, .publish(path: from, staged: staged, digest: nil, replaces: true), by: incarnation,
            failure: .lost, at: now)
        #expect(failed.record.status == .failed)
        #expect(failed.record.reason?.contains("lost") == true)
        #expect(failed.record.size == Samples.file.size)
        #expect(failed.record.endedAt == now)
    }
}
