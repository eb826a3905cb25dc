import ClusterModel
import NIOCore
import Testing
import WorkService

@Suite struct ReceiverTests {
    private static func at(_ milliseconds: Int) -> ClusterInstant {
        .zero.advanced(by: .milliseconds(milliseconds))
    }

    @Test func `a receiver that answers gets three quarters of the slots`() {
        var shares = ReceiverShares(slots: 64)
        var numbers: [Int] = []
        for _ in 0..<100 {
            if case .now(let number) = shares.begin("a", at: .zero) { numbers.append(number) }
        }
        #expect(numbers.count == 48)
        guard case .now = shares.begin("b", at: .zero) else {
            Issue.record("another one gets nothing")
            return
        }
        for number in numbers { shares.ended("a", number, at: Self.at(5)) }
        #expect(shares.inFlight("a") == 0)
        guard case .now = shares.begin("a", at: Self.at(6)) else {
            Issue.record("nothing is left to it")
            return
        }
    }

    @Test func `one that is slow gets a few until it answers again`() {
        var shares = ReceiverShares(slots: 64)
        var numbers: [Int] = []
        for _ in 0..<4 {
            if case .now(let number) = shares.begin("a", at: .zero) { numbers.append(number) }
        }
        // Not slow yet; then those that are under way say so.
        guard case .now(let fifth) = shares.begin("a", at: Self.at(1_999)) else {
            Issue.record("slow too soon")
            return
        }
        guard case .later(let first) = shares.begin("a", at: Self.at(2_000)),
            case .later(let second) = shares.begin("a", at: Self.at(2_000))
        else {
            Issue.record("a slow one gets more")
            return
        }
        #expect(first <= second && ReceiverShares.pauses.contains(first))
        for number in numbers { shares.ended("a", number, at: Self.at(30_000)) }
        shares.ended("a", fifth, at: Self.at(32_000))
        // It stays slow while nothing is under way.
        var probes: [Int] = []
        for _ in 0..<10 {
            if case .now(let number) = shares.begin("a", at: Self.at(33_000)) { probes.append(number) }
        }
        #expect(probes.count == 4)
        // Those who wait come spread over the time that it is likely to take.
        var last: Duration = .zero
        for _ in 0..<1_000 {
            guard case .later(let pause) = shares.begin("a", at: Self.at(33_000)) else { continue }
            last = max(last, pause)
        }
        #expect(last == ReceiverShares.pauses.upperBound)
        for number in probes { shares.ended("a", number, at: Self.at(33_010)) }
        var again = 0
        for _ in 0..<100 { if case .now = shares.begin("a", at: Self.at(33_020)) { again += 1 } }
        #expect(again == 48)
    }

    @Test func `a node with one slot still sends`() {
        var shares = ReceiverShares(slots: 1)
        guard case .now(let number) = shares.begin("a", at: .zero), case .later = shares.begin("a", at: .zero)
        else {
            Issue.record("not one at a time")
            return
        }
        shares.ended("a", number, at: Self.at(9_000))
        guard case .now = shares.begin("a", at: Self.at(9_000)) else {
            Issue.record("a slow one is never tried again")
            return
        }
    }

    @Test(arguments: [
        ("8.8.8.8", "internet"), ("2606:4700::1", "internet"), ("10.1.2.3", "network"),
        ("172.31.0.1", "network"),
        ("172.32.0.1", "internet"), ("192.168.7.7", "network"), ("100.64.0.1", "network"),
        ("100.128.0.1", "internet"),
        ("198.19.0.1", "network"), ("fd12::1", "network"), ("fec0::1", "network"), ("127.0.0.1", "any"),
        ("127.9.9.9", "any"), ("0.0.0.0", "any"), ("169.254.169.254", "any"), ("224.0.0.1", "any"),
        ("255.255.255.255", "any"), ("::", "any"), ("::1", "any"), ("fe80::1", "any"), ("ff02::1", "any"),
        ("fd00:ec2::254", "any"), ("::ffff:127.0.0.1", "any"), ("::ffff:10.0.0.1", "network"),
        ("64:ff9b::a9fe:a9fe", "any"),
    ])
    func `an address is reached from its least reach on`(address: String, least: String) throws {
        let socket = try SocketAddress(ipAddress: address, port: 80)
        let least = try #require(ReceiverReach(rawValue: least))
        let order: [ReceiverReach] = [.internet, .network, .any]
        let first = try #require(order.firstIndex(of: least))
        for (index, reach) in order.enumerated() {
            #expect(reach.allows(socket) == (index >= first), "\(address) from \(reach)")
        }
    }

    @Test func `addresses of one receiver share its turns`() throws {
        let one = try WebhookAddress("HTTPS://Example.org/a?b").receiver
        #expect(try one == WebhookAddress("https://example.org:443/other").receiver)
        #expect(try one != WebhookAddress("http://example.org/a").receiver)
        #expect(try one != WebhookAddress("https://example.org:8443/a").receiver)
    }
}
