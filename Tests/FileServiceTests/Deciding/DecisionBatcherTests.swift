import ClusterPorts
import FileService
import Foundation
import Testing

struct DecisionBatcherTests {
    private func entry(_ path: String, account: UUID = UUID(), right: Int64 = 1) throws
        -> DecisionBatcher.Entry
    {
        DecisionBatcher.Entry(
            publication: try Samples.publication(path, account: account), right: try Samples.right(right))
    }

    @Test func `the first leads at once, and all that came meanwhile go together`() throws {
        var batcher = DecisionBatcher(batch: 100, queue: 100)
        let first = try self.entry("a")
        let second = try self.entry("b")
        let third = try self.entry("c")
        #expect(batcher.submitted(first) == .lead([first]))
        #expect(batcher.submitted(second) == .wait)
        #expect(batcher.submitted(third) == .wait)
        #expect(batcher.ended() == .handOver([second, third]))
        #expect(batcher.ended() == .idle)
        #expect(batcher.submitted(first) == .lead([first]))
    }

    @Test func `a batch has a bound and so has the queue`() throws {
        var batcher = DecisionBatcher(batch: 2, queue: 3)
        _ = batcher.submitted(try self.entry("a"))
        let waiting = try ["b", "c", "d"].map { try self.entry($0) }
        for entry in waiting { #expect(batcher.submitted(entry) == .wait) }
        #expect(batcher.submitted(try self.entry("e")) == .refuse)
        #expect(batcher.ended() == .handOver([waiting[0], waiting[1]]))
        #expect(batcher.ended() == .handOver([waiting[2]]))
        #expect(batcher.ended() == .idle)
    }

    @Test func `one statement holds one right, and each name once, in order`() throws {
        var batcher = DecisionBatcher(batch: 100, queue: 100)
        let account = UUID()
        _ = batcher.submitted(try self.entry("a"))
        let one = try self.entry("x", account: account)
        let same = try self.entry("x", account: account)
        let reborn = try self.entry("y", account: account, right: 2)
        let other = try self.entry("z", account: account)
        for entry in [one, same, reborn, other] { #expect(batcher.submitted(entry) == .wait) }
        #expect(batcher.ended() == .handOver([one, other]))
        #expect(batcher.ended() == .handOver([same]))
        #expect(batcher.ended() == .handOver([reborn]))
        #expect(batcher.ended() == .idle)
    }
}
