import ClusterPorts
import FileService
import Testing

struct ConflictTests {
    @Test func `a busy name is carried out when it is decided and waited for when it is reserved`() throws {
        let operation = try Samples.operation()
        let path = try Samples.path("a")
        let incarnation = try Samples.incarnation(1)
        let reserved = UnfinishedName(operation: operation, incarnation: incarnation, path: path, change: nil)
        let decided = UnfinishedName(
            operation: operation, incarnation: incarnation, path: path, change: .remove(path, Samples.file))
        #expect(NameConflict.step(nil) == .tryAgain)
        #expect(NameConflict.step(reserved) == .wait)
        #expect(NameConflict.step(decided) == .rollForward(decided))
    }

    @Test func `pauses grow, differ by chance, and end`() throws {
        let start = ContinuousClock.now
        var patience = ConflictPatience(.seconds(2), from: start)
        let nextfirst = patience.next(at: start, chance: 1)
        let first = try #require(nextfirst)
        let nextsecond = patience.next(at: start, chance: 1)
        let second = try #require(nextsecond)
        let nextsmall = patience.next(at: start, chance: 0)
        let small = try #require(nextsmall)
        #expect(first < second)
        #expect(small == second)
        for _ in 0..<20 {
            let next = patience.next(at: start, chance: 1)
            #expect(try #require(next) <= .milliseconds(100))
        }
        #expect(patience.next(at: start + .seconds(2), chance: 1) == nil)
    }

    @Test func `after a lost reply the row speaks first, then the log, and silence is no decision`() throws {
        let operation = try Samples.operation()
        let path = try Samples.path("a")
        let incarnation = try Samples.incarnation(1)
        let decided = UnfinishedName(
            operation: operation, incarnation: incarnation, path: path, change: .remove(path, Samples.file))
        let others = UnfinishedName(
            operation: try Samples.operation(), incarnation: incarnation, path: path, change: nil)
        let ended = try Samples.record(operation, .completed)
        let running = try Samples.record(operation, .running)
        #expect(UnknownOutcome.judge(operation.id, row: decided, record: nil) == .decided(decided))
        #expect(UnknownOutcome.judge(operation.id, row: others, record: ended) == .ended(ended))
        #expect(UnknownOutcome.judge(operation.id, row: others, record: nil) == .nothing)
        #expect(UnknownOutcome.judge(operation.id, row: nil, record: running) == .nothing)
    }
}
