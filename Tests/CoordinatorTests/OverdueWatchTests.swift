import ClusterModel
import Coordinator
import Testing

@Suite struct OverdueWatchTests {
    private static func record(_ epoch: Int64, deadline: Duration? = .seconds(10)) -> LeaseRecord {
        LeaseRecord(
            title: LeasingTests.title("j\(epoch)", epoch), slot: Slot(1),
            node: MembershipTests.name("worker-1"),
            incarnation: MembershipTests.incarnation(10), orderKey: nil, limit: nil, deadline: deadline,
            age: .seconds(3_600))
    }

    private static func at(_ milliseconds: Int64) -> ClusterInstant { MembershipTests.at(milliseconds) }

    @Test func `a lease is overdue when it was watched for its deadline`() {
        var watch = OverdueWatch()
        // Its age by the database's clock does not matter.
        #expect(watch.looked(at: [Self.record(1)], now: Self.at(0)) == [])
        #expect(watch.looked(at: [Self.record(1)], now: Self.at(9_999)) == [])
        #expect(watch.looked(at: [Self.record(1)], now: Self.at(10_000)) == [Self.record(1).title])
    }

    @Test func `a gap between two looks does no harm and another epoch starts anew`() {
        var watch = OverdueWatch()
        _ = watch.looked(at: [Self.record(1)], now: Self.at(0))
        #expect(watch.looked(at: [Self.record(1)], now: Self.at(60_000)) == [Self.record(1).title])
        #expect(watch.looked(at: [Self.record(2)], now: Self.at(60_000)) == [])
        #expect(watch.count == 1)
        #expect(watch.looked(at: [], now: Self.at(61_000)) == [])
        #expect(watch.count == 0)
        #expect(watch.looked(at: [Self.record(2)], now: Self.at(80_000)) == [])
    }

    @Test func `pages are gone through one after the other`() {
        var watch = OverdueWatch()
        let all = (1...2_500).map { Self.record(Int64($0)) }
        for page in [all[..<1_000], all[1_000..<2_000], all[2_000...]] {
            #expect(
                watch.after?.rawValue
                    == page.first.map { $0.title.epoch.rawValue - 1 }.flatMap { $0 == 0 ? nil : $0 })
            #expect(watch.looked(at: Array(page), now: Self.at(0)) == [])
        }
        #expect(watch.after == nil)
        #expect(watch.count == 2_500)
        _ = watch.looked(at: Array(all[..<1_000]), now: Self.at(10))
        #expect(watch.count == 2_500)
        _ = watch.looked(at: [], now: Self.at(20))
        #expect(watch.count == 1_000)
    }
}
