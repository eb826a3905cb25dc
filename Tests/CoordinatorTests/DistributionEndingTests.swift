import ClusterModel
import Coordinator
import Testing

@Suite struct DistributionEndingTests {
    private static func ending(_ number: Int64) -> JobEnding {
        JobEnding(title: Cases.title(number), end: .done(note: nil))
    }

    private static func orders(_ endings: inout JobEndings, at milliseconds: Int64 = 0) -> [JobEnding] {
        guard case .finish(let batch)? = endings.next(at: Cases.at(milliseconds)).order else { return [] }
        return batch
    }

    @Test func `a lone ending goes at once and those that come meanwhile go together`() {
        var endings = JobEndings()
        endings.ended(Self.ending(1))
        #expect(Self.orders(&endings) == [Self.ending(1)])
        for number in 2...5 as ClosedRange<Int64> { endings.ended(Self.ending(number)) }
        #expect(Self.orders(&endings) == [])
        #expect(endings.finished([.accepted]).count == 1)
        #expect(Self.orders(&endings) == (2...5).map { Self.ending($0) })
        #expect(endings.finished([.accepted, .fenced, .accepted, .accepted]).count == 4)
        #expect(endings.count == 0)
    }

    @Test func `after a lost answer the claims are read and only what is still there goes again`() {
        var endings = JobEndings()
        for number in 1...2 as ClosedRange<Int64> { endings.ended(Self.ending(number)) }
        _ = Self.orders(&endings)
        endings.failed(.mayHaveRun, at: .zero)
        endings.ended(Self.ending(3))
        #expect(endings.next(at: .zero).wakeAt == Cases.at(50))
        #expect(endings.next(at: Cases.at(50)).order == .readClaims)
        #expect(endings.count == 3)
        #expect(endings.claimsRead([Cases.title(2), Cases.title(3)]) == [Self.ending(1)])
        #expect(Self.orders(&endings, at: 50) == [Self.ending(2), Self.ending(3)])
    }

    @Test func `what surely did not run is tried again with growing pauses`() {
        var endings = JobEndings()
        endings.ended(Self.ending(1))
        var tries: [Int64] = []
        for time in stride(from: Int64(0), to: 6_000, by: 10) where !Self.orders(&endings, at: time).isEmpty {
            tries.append(time)
            endings.failed(.notRun, at: Cases.at(time))
        }
        #expect(tries == [0, 50, 150, 350, 750, 1_550, 3_150, 5_150])
    }

    @Test func `one that the database refuses spoils nothing for the others`() {
        var endings = JobEndings()
        for number in 1...100 as ClosedRange<Int64> { endings.ended(Self.ending(number)) }
        var accepted: Set<JobID> = []
        var mended: JobEnd?
        for time in stride(from: Int64(0), to: 20_000, by: 10) {
            let batch = Self.orders(&endings, at: time)
            guard !batch.isEmpty else { continue }
            if batch.contains(Self.ending(42)) {
                endings.failed(.refused("bad\u{0} text"), at: Cases.at(time))
            } else {
                for (ending, _) in endings.finished(batch.map { _ in .accepted }) {
                    accepted.insert(ending.title.job)
                    if ending.title == Cases.title(42) { mended = ending.end }
                }
            }
        }
        #expect(accepted.count == 100)
        #expect(endings.count == 0)
        #expect(
            mended == .retry(after: .seconds(60), reason: "the database refused how it ended: bad text"))
    }

    @Test func `nothing is said of a claim that is gone`() {
        var endings = JobEndings()
        for number in 1...3 as ClosedRange<Int64> { endings.ended(Self.ending(number)) }
        endings.lost(Cases.title(2))
        #expect(Self.orders(&endings) == [Self.ending(1), Self.ending(3)])
        endings.died()
        #expect(endings.count == 0)
        #expect(endings.finished([.accepted, .accepted]).isEmpty)
    }

    @Test func `a job that was claimed again is in a batch once`() {
        var endings = JobEndings()
        let again = JobEnding(title: Cases.title(1, 2), end: .done(note: nil))
        for ending in [Self.ending(1), again, Self.ending(2)] { endings.ended(ending) }
        #expect(Self.orders(&endings) == [Self.ending(1), Self.ending(2)])
        #expect(endings.finished([.fenced, .accepted]).count == 2)
        #expect(Self.orders(&endings) == [again])
    }

    @Test func `answers that are missing are read`() {
        var endings = JobEndings()
        for number in 1...3 as ClosedRange<Int64> { endings.ended(Self.ending(number)) }
        _ = Self.orders(&endings)
        #expect(endings.finished([.accepted]).count == 1)
        #expect(endings.next(at: .zero).order == .readClaims)
    }

    // MARK: What is in hand

    @Test func `a claim goes from running to ending and is gone with the answer`() {
        var held = HeldJobs()
        held.began(Cases.job(1), claimSentAt: .zero)
        #expect(held.isHeld(Cases.title(1), at: .zero))
        #expect(!held.isHeld(Cases.title(1, 2), at: .zero))
        #expect(held.returned(Cases.title(1), .failed(reason: "x")) == .failed(reason: "x"))
        #expect(held.running == 0)
        #expect(held.count(of: Cases.webhook) == 1)
        #expect(!held.isHeld(Cases.title(1), at: .zero))
        held.settled(Cases.title(1))
        #expect(held.isEmpty)
    }

    @Test func `a lost claim keeps its slot until its handler returns and nothing is said of it`() {
        var held = HeldJobs()
        held.began(Cases.job(1), claimSentAt: .zero)
        let cancels = [held.lost(Cases.title(1)), held.lost(Cases.title(1))]
        #expect(cancels == [true, false])
        #expect(held.running == 1)
        held.settled(Cases.title(1))
        #expect(held.returned(Cases.title(1), .done(note: nil)) == nil)
        #expect(held.running == 0)
        #expect(held.isEmpty)
    }

    @Test func `an interrupted job is given back unless it is done`() {
        var held = HeldJobs()
        for number in 1...2 as ClosedRange<Int64> { held.began(Cases.job(number), claimSentAt: .zero) }
        #expect(held.interruptedAll(reason: "the node stops").count == 2)
        #expect(held.interruptedAll(reason: "again").isEmpty)
        #expect(
            held.returned(Cases.title(1), .failed(reason: "cancelled"))
                == .givenBack(reason: "the node stops"))
        #expect(held.returned(Cases.title(2), .done(note: "in time")) == .done(note: "in time"))
    }

    @Test func `a deadline is counted from when the claim was sent and the attempt counts`() {
        var held = HeldJobs()
        held.began(Cases.job(1, attempt: 3, deadline: .seconds(2)), claimSentAt: Cases.at(100))
        held.began(Cases.job(2), claimSentAt: Cases.at(100))
        #expect(held.nextOverdueAt == Cases.at(2_100))
        #expect(held.overdue(at: Cases.at(2_099)).isEmpty)
        #expect(!held.isHeld(Cases.title(1), at: Cases.at(2_100)))
        #expect(held.overdue(at: Cases.at(2_100)) == [Cases.title(1)])
        #expect(held.overdue(at: Cases.at(2_100)).isEmpty)
        let end = JobEnd.retry(after: .seconds(8), reason: "its deadline passed")
        #expect(held.returned(Cases.title(1), .failed(reason: "cancelled")) == end)
    }

    @Test func `a claim is overdue when it was watched for its deadline`() {
        var watch = OverdueClaims()
        let claim = OverdueClaim(title: Cases.title(1), deadline: .seconds(10))
        #expect(watch.looked(at: [claim], now: .zero).isEmpty)
        #expect(watch.looked(at: [claim], now: Cases.at(9_999)).isEmpty)
        #expect(watch.looked(at: [claim], now: Cases.at(10_000)) == [claim.title])
        // Claimed again, it is another one.
        let again = OverdueClaim(title: Cases.title(1, 2), deadline: .seconds(10))
        #expect(watch.looked(at: [again], now: Cases.at(10_001)).isEmpty)
        #expect(watch.count == 1)
        #expect(watch.looked(at: [], now: Cases.at(20_000)).isEmpty)
        #expect(watch.count == 0)
    }

    @Test func `pauses double up to an hour and are spread by chance`() {
        let backoff = JobBackoff.standard
        #expect((1...4).map { backoff.pause(attempt: $0, chance: 1) } == [2, 4, 8, 16].map { .seconds($0) })
        #expect(backoff.pause(attempt: 1, chance: 0) == .seconds(1))
        for attempt in [12, 40, 1_000, .max] {
            #expect(backoff.pause(attempt: attempt, chance: 1) == .seconds(3_600))
        }
        #expect(backoff.pause(attempt: 0, chance: 7) == .seconds(2))
    }
}
