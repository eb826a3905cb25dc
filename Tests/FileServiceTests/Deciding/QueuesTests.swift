import ClusterPorts
import FileService
import Testing

struct QueuesTests {
    private static let start = ContinuousClock.now

    private func written(
        _ queue: inout TransferLogQueue, at now: ContinuousClock.Instant = Self.start, isLast: Bool = false
    ) throws -> TransferLogQueue.Batch {
        let next = queue.next(at: now, isLast: isLast)
        guard case .write(let batch) = next else {
            Issue.record("nothing to write: \(next)")
            throw CancellationError()
        }
        return batch
    }

    @Test func `finished operations and records take turns, in batches`() throws {
        var queue = TransferLogQueue(batch: 2, limit: 4, pace: .zero)
        let finished = try (0..<3).map { _ in try Samples.finished() }
        for operation in finished { queue.add(operation) }
        let record = try Samples.record(try Samples.operation(), .failed)
        queue.add(record)
        #expect(queue.isFull)
        let first = try self.written(&queue)
        #expect(first == .record([record]))
        #expect(queue.wrote(first, .written) == .goOn)
        let second = try self.written(&queue)
        #expect(second == .finish(Array(finished.prefix(2))))
        #expect(queue.wrote(second, .notNow) == .pause)
        #expect(queue.count == 3)
        let again = try self.written(&queue)
        #expect(again == second)
        #expect(queue.wrote(again, .written) == .goOn)
        #expect(try self.written(&queue) == .finish([finished[2]]))
    }

    @Test func `one bad record is found and given up, and holds nobody up`() throws {
        var queue = TransferLogQueue(batch: 10, limit: 100, pace: .seconds(9))
        let finished = try (0..<5).map { _ in try Samples.finished() }
        for operation in finished { queue.add(operation) }
        let all = try self.written(&queue)
        #expect(all == .finish(finished))
        #expect(queue.wrote(all, .refused) == .goOn)
        let half = try self.written(&queue)
        #expect(half == .finish(Array(finished.prefix(2))))
        #expect(queue.wrote(half, .refused) == .goOn)
        let alone = try self.written(&queue)
        #expect(alone == .finish([finished[0]]))
        #expect(queue.wrote(alone, .refused) == .lost(alone))
        for expected in [finished[1...1], finished[2...3], finished[4...4]] {
            let next = try self.written(&queue)
            #expect(next == .finish(Array(expected)))
            #expect(queue.wrote(next, .written) == .goOn)
        }
        #expect(queue.next(at: Self.start) == .nothing)
    }

    @Test(arguments: [0, 1, 250, 400, 499])
    func `one bad record among hundreds costs few statements more`(bad: Int) throws {
        var queue = TransferLogQueue(batch: 500, limit: 1_000, pace: .zero)
        let finished = try (0..<500).map { _ in try Samples.finished() }
        for operation in finished { queue.add(operation) }
        var (statements, written, lost) = (0, 0, 0)
        while case .write(let batch) = queue.next(at: Self.start), statements < 1_000 {
            statements += 1
            guard case .finish(let operations) = batch else { break }
            if operations.contains(finished[bad]) {
                if case .lost = queue.wrote(batch, .refused) { lost += 1 }
            } else {
                written += operations.count
                #expect(queue.wrote(batch, .written) == .goOn)
            }
        }
        #expect(written == 499 && lost == 1)
        #expect(statements < 60)
    }

    @Test func `what comes seldom is written at once, and what comes fast is gathered for a while`() throws {
        let pace = Duration.milliseconds(25)
        var queue = TransferLogQueue(batch: 10, limit: 100, pace: pace)
        func add(_ count: Int) throws {
            for _ in 0..<count { queue.add(try Samples.record(try Samples.operation(), .completed)) }
        }
        func write(_ count: Int, at now: ContinuousClock.Instant) throws {
            let batch = try self.written(&queue, at: now)
            #expect(batch.count == count)
            #expect(queue.wrote(batch, .written) == .goOn)
        }
        // One after the other.
        for turn in 0..<5 {
            try add(1)
            try write(1, at: Self.start + .milliseconds(turn))
        }
        // Many at once leave at once, but what comes behind them is gathered.
        let crowd = Self.start + .seconds(1)
        try add(4)
        try write(4, at: crowd)
        try add(9)
        #expect(queue.next(at: crowd + .milliseconds(1)) == .wait(until: crowd + pace))
        try write(9, at: crowd + pace)
        // A whole batch waits for nothing.
        try add(10)
        try write(10, at: crowd + pace + .milliseconds(1))
        // It was little in all that time: the next one leaves at once again.
        try add(1)
        let later = crowd + pace + .milliseconds(1) + pace
        #expect(queue.next(at: later - .milliseconds(1)) == .wait(until: later))
        try write(1, at: later)
        try add(1)
        try write(1, at: later + .milliseconds(1))
    }

    @Test func `nobody waits for the pace when the queue is full, the node stops or a name is asked for`()
        throws
    {
        let pace = Duration.seconds(9)
        var queue = TransferLogQueue(batch: 10, limit: 8, pace: pace)
        let finished = try (0..<8).map { _ in try Samples.finished() }
        func add(_ range: Range<Int>) { for number in range { queue.add(finished[number]) } }
        func write() throws { _ = queue.wrote(try self.written(&queue), .written) }
        add(0..<4)
        try write()
        add(0..<7)
        #expect(queue.next(at: Self.start) == .wait(until: Self.start + pace))
        add(7..<8)
        #expect(queue.isFull)
        try write()
        #expect(queue.next(at: Self.start, isLast: true) == .nothing)
        add(0..<4)
        #expect(try self.written(&queue, isLast: true) == .finish(Array(finished.prefix(4))))
        #expect(queue.next(at: Self.start) == .wait(until: Self.start + pace))
        #expect(queue.hurry(finished[7].operation.id) == false)
        #expect(queue.next(at: Self.start) == .wait(until: Self.start + pace))
        #expect(queue.hurry(finished[2].operation.id) == true)
        try write()
        add(0..<4)
        // Once: those who come later have their own to say.
        #expect(queue.next(at: Self.start) == .wait(until: Self.start + pace))
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
