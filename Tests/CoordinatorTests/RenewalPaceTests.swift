import ClusterModel
import Coordinator
import Testing

@Suite struct RenewalPaceTests {
    private static func at(_ seconds: Int64) -> ClusterInstant { Cases.at(seconds * 1_000) }

    @Test func `a backlog that drains without news is looked at each second`() {
        var pace = RenewalPace()
        #expect(pace.isDue(news: 7, at: Self.at(0)))
        pace.looked(news: 7, deletions: 100, hasBacklog: true, at: Self.at(0))
        for second in 1...30 as ClosedRange<Int64> {
            #expect(pace.isDue(news: 7, at: Self.at(second)))
            pace.looked(news: 7, deletions: 100 + second, hasBacklog: true, at: Self.at(second))
        }
        // The last of it: one more look, which finds that nothing moves.
        #expect(pace.isDue(news: 7, at: Self.at(31)))
        pace.looked(news: 7, deletions: 130, hasBacklog: false, at: Self.at(31))
        #expect(!pace.isDue(news: 7, at: Self.at(32)) && !pace.isDue(news: 7, at: Self.at(3_600)))
        #expect(pace.isDue(news: 8, at: Self.at(33)))
    }

    @Test func `a backlog that stands still is looked at seldom, and each second when it moves again`() {
        var pace = RenewalPace()
        pace.looked(news: 7, deletions: 100, hasBacklog: true, at: Self.at(0))
        pace.looked(news: 7, deletions: 100, hasBacklog: true, at: Self.at(1))
        #expect(!pace.isDue(news: 7, at: Self.at(10)) && pace.isDue(news: 7, at: Self.at(11)))
        pace.looked(news: 7, deletions: 101, hasBacklog: true, at: Self.at(11))
        #expect(pace.isDue(news: 7, at: Self.at(12)))
    }

    @Test func `after the last news one more look is owed`() {
        var pace = RenewalPace()
        pace.looked(news: 7, deletions: 100, hasBacklog: false, at: Self.at(0))
        #expect(pace.isDue(news: 7, at: Self.at(1)))
        pace.looked(news: 7, deletions: 100, hasBacklog: false, at: Self.at(1))
        #expect(!pace.isDue(news: 7, at: Self.at(2)))
    }
}
