import ClusterPorts
import FileService
import Testing

struct QueuesTests {
    @Test func `finished operations and records take turns, in batches`() throws {
        var queue = TransferLogQueue(batch: 2, limit: 4)
        let finished = try (0..<3).map { _ in try Samples.finished() }
        for operation in finished { queue.add(operation) }
        let record = try Samples.record(try Samples.operation(), .failed)
        queue.add(record)
        #expect(queue.isFull)
        let nextfirst = queue.next()
        let first = try #require(nextfirst)
        #expect(first == .record([record]))
        #expect(queue.wrote(first, .written) == .goOn)
        let nextsecond = queue.next()
        let second = try #require(nextsecond)
        #expect(second == .finish(Array(finished.prefix(2))))
        #expect(queue.wrote(second, .notNow) == .pause)
        #expect(queue.count == 3)
        let nextagain = queue.next()
        let again = try #require(nextagain)
        #expect(again == second)
        #expect(queue.wrote(again, .written) == .goOn)
        #expect(queue.next() == .finish([finished[2]]))
    }

    @Test func `one bad record is found and given up, and holds nobody up`() throws {
        var queue = TransferLogQueue(batch: 10, limit: 100)
        let finished = try (0..<3).map { _ in try Samples.finished() }
        for operation in finished { queue.add(operation) }
        let nextall = queue.next()
        let all = try #require(nextall)
        #expect(queue.wrote(all, .refused) == .goOn)
        let nextalone = queue.next()
        let alone = try #require(nextalone)
        #expect(alone == .finish([finished[0]]))
        #expect(queue.wrote(alone, .refused) == .lost(alone))
        #expect(queue.next() == .finish([finished[1]]))
        #expect(queue.wrote(.finish([finished[1]]), .written) == .goOn)
        #expect(queue.next() == .finish([finished[2]]))
        #expect(queue.wrote(.finish([finished[2]]), .written) == .goOn)
        #expect(queue.next() == nil)
    }

    @Test func `a leftover is looked at with growing pauses until it is settled or surely never was`() throws
    {
        let start = ContinuousClock.now
        var queue = AftercareQueue(limit: 1)
        let leftover = Leftover.marks([], try Samples.operation(), try Samples.right())
        #expect(queue.add(leftover, at: start) == true)
        #expect(queue.add(leftover, at: start) == false)
        #expect(queue.take(at: start, limit: 10) == [])
        let nextfirst = queue.take(at: start + .milliseconds(100), limit: 10).first
        let first = try #require(nextfirst)
        #expect(queue.isEmpty)
        queue.looked(first, .failed, at: start + .milliseconds(100))
        #expect(queue.take(at: start + .milliseconds(200), limit: 10) == [])
        let nextsecond = queue.take(at: start + .milliseconds(300), limit: 10).first
        let second = try #require(nextsecond)
        queue.looked(second, .nothing, at: start + .milliseconds(300))
        let nextthird = queue.take(at: start + .seconds(40), limit: 10).first
        let third = try #require(nextthird)
        queue.looked(third, .failed, at: start + .seconds(40))
        let nextfourth = queue.take(at: start + .seconds(80), limit: 10).first
        let fourth = try #require(nextfourth)
        queue.looked(fourth, .nothing, at: start + .seconds(80))
        #expect(queue.isEmpty)
    }

    @Test func `a database that was away may still run what it was sent, however long it was away`() throws {
        let start = ContinuousClock.now
        var queue = AftercareQueue(limit: 1)
        #expect(queue.add(Leftover.marks([], try Samples.operation(), try Samples.right()), at: start))
        let nextaway = queue.take(at: start + .seconds(60), limit: 1).first
        let away = try #require(nextaway)
        queue.looked(away, .failed, at: start + .seconds(60))
        let nextback = queue.take(at: start + .seconds(61), limit: 1).first
        let back = try #require(nextback)
        queue.looked(back, .nothing, at: start + .seconds(61))
        #expect(!queue.isEmpty)
    }
}
