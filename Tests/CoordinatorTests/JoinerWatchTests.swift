import ClusterModel
import Coordinator
import Foundation
import Testing

@Suite struct JoinerWatchTests {
    static func member(_ raw: Int64, heartbeats: Int64) -> Member {
        let date = Date(timeIntervalSince1970: 0)
        return Member(
            slot: Slot(Int16(raw)), name: MembershipTests.name("worker-\(raw)"),
            incarnation: MembershipTests.incarnation(raw), status: .active, heartbeats: heartbeats,
            lastHeartbeat: date,
            joinedAt: date, unbrokenSince: date,
            addresses: NodeAddresses(host: "h", filesPort: 1, adminPort: 2),
            version: "1", attributes: [:], capacity: 1, load: .idle)
    }

    @Test func `a live holder of the name is in the way for good`() {
        var watch = JoinerWatch()
        #expect(watch.look(at: [Self.member(1, heartbeats: 5)], now: MembershipTests.at(0)) == .wait)
        #expect(watch.look(at: [Self.member(1, heartbeats: 6)], now: MembershipTests.at(250)) == .giveUp)
    }

    @Test func `a holder that stands still is accused after the slow window and not before`() {
        var watch = JoinerWatch()
        let still = Self.member(1, heartbeats: 5)
        for time in stride(from: Int64(0), through: 4_750, by: 250) {
            #expect(watch.look(at: [still], now: MembershipTests.at(time)) == .wait)
        }
        #expect(watch.look(at: [still], now: MembershipTests.at(4_999)) == .wait)
        guard case .accuse(let stood) = watch.look(at: [still], now: MembershipTests.at(5_000)) else {
            Issue.record("nobody was accused")
            return
        }
        #expect(stood.map(\.incarnation) == [still.incarnation])
        #expect(stood.first?.watched == .seconds(5))
    }

    @Test func `one still holder among live ones keeps the joiner waiting`() {
        var watch = JoinerWatch()
        _ = watch.look(
            at: [Self.member(1, heartbeats: 5), Self.member(2, heartbeats: 5)], now: MembershipTests.at(0))
        let verdict = watch.look(
            at: [Self.member(1, heartbeats: 6), Self.member(2, heartbeats: 5)], now: MembershipTests.at(250))
        #expect(verdict == .wait)
    }

    @Test func `a heartbeat starts the watching again`() {
        var watch = JoinerWatch()
        for time in stride(from: Int64(0), through: 3_000, by: 1_000) {
            _ = watch.look(at: [Self.member(1, heartbeats: 5)], now: MembershipTests.at(time))
        }
        for time in stride(from: Int64(4_000), through: 8_000, by: 1_000) {
            let verdict = watch.look(at: [Self.member(1, heartbeats: 6)], now: MembershipTests.at(time))
            #expect(verdict == .giveUp)
        }
        guard case .accuse = watch.look(at: [Self.member(1, heartbeats: 6)], now: MembershipTests.at(9_000))
        else {
            Issue.record("nobody was accused")
            return
        }
    }

    @Test func `a joiner that saw nothing for a while, as in an outage of the database, starts again`() {
        var watch = JoinerWatch()
        let still = Self.member(1, heartbeats: 5)
        #expect(watch.look(at: [still], now: MembershipTests.at(0)) == .wait)
        #expect(watch.look(at: [still], now: MembershipTests.at(6_000)) == .wait)
        #expect(watch.look(at: [still], now: MembershipTests.at(6_250)) == .wait)
    }
}
