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

    @Test func `one that hangs gets no more and one that is slow a few until it answers again`() {
        var shares = ReceiverShares(slots: 64)
        func begun(_ count: Int, at now: ClusterInstant) -> [Int] {
            var numbers: [Int] = []
            for _ in 0..<count {
                if case .now(let number) = shares.begin("a", at: now) { numbers.append(number) }
            }
            return numbers
        }
        // One that hangs says nothing yet, half of its part does.
        let hanging = begun(1, at: .zero) + begun(23, at: Self.at(10))
        #expect(hanging.count == 24)
        let last = begun(1, at: Self.at(2_000))
        #expect(last.count == 1)
        guard case .later(let first) = shares.begin("a", at: Self.at(2_010)),
            case .later(let second) = shares.begin("a", at: Self.at(2_010))
        else {
            Issue.record("one that hangs gets more")
            return
        }
        #expect(first <= second && ReceiverShares.pauses.contains(first))
        for number in hanging + last { shares.ended("a", number, at: Self.at(32_000)) }
        // It is slow while nothing is under way, too.
        let probes = begun(10, at: Self.at(33_000))
        #expect(probes.count == 4)
        // Those who wait come spread over the time that it is likely to take.
        var longest: Duration = .zero
        for _ in 0..<1_000 {
            guard case .later(let pause) = shares.begin("a", at: Self.at(33_000)) else { continue }
            longest = max(longest, pause)
        }
        #expect(longest == ReceiverShares.pauses.upperBound)
        for number in probes { shares.ended("a", number, at: Self.at(33_010)) }
        #expect(begun(100, at: Self.at(33_020)).count == 48)
    }

    @Test func `pauses before a slow receiver pass with time and are not made by first looks`() {
        var shares = ReceiverShares(slots: 64)
        func pause(at now: ClusterInstant, stays: Bool = false) -> Duration? {
            guard case .later(let pause) = shares.begin("a", at: now, stays: stays) else { return nil }
            return pause
        }
        // Four at a time, half a minute each.
        for _ in 0..<8 {
            guard case .now(let number) = shares.begin("a", at: .zero) else { continue }
            shares.ended("a", number, at: Self.at(30_000))
        }
        let start = Self.at(30_000)
        for _ in 0..<4 { #expect(pause(at: start) == nil) }
        let first = pause(at: start, stays: true)
        for _ in 0..<1_000 { #expect(pause(at: start, stays: true) == first) }
        #expect(pause(at: start) == first)
        for _ in 0..<1_000 { _ = pause(at: start) }
        #expect(pause(at: start) == ReceiverShares.pauses.upperBound)
        // Nobody came for half a minute, then for as long as the pause: as many have had their turn.
        #expect(pause(at: start.advanced(by: .seconds(30)), stays: true).map { $0 < .seconds(40) } == true)
        #expect(pause(at: start.advanced(by: .seconds(60))) == first)
    }

    @Test func `those who wait for a receiver that answers come one after the other`() {
        var shares = ReceiverShares(slots: 64)
        var numbers: [Int] = []
        for _ in 0..<48 {
            if case .now(let number) = shares.begin("a", at: .zero) { numbers.append(number) }
        }
        for number in numbers.prefix(1) { shares.ended("a", number, at: Self.at(100)) }
        _ = shares.begin("a", at: Self.at(100))
        var pauses: Set<Duration> = []
        for _ in 0..<1_000 {
            if case .later(let pause) = shares.begin("a", at: Self.at(100)) { pauses.insert(pause) }
        }
        for number in numbers.dropFirst().prefix(1) { shares.ended("a", number, at: Self.at(101)) }
        _ = shares.begin("a", at: Self.at(101))
        // One that was quick does not send all the others back to the end of the shortest pause.
        guard case .later(let pause) = shares.begin("a", at: Self.at(101)) else {
            Issue.record("there is room for more than its part")
            return
        }
        #expect(pauses.count > 500 && pause > .seconds(1))
    }

    @Test func `one that loses a message now and then keeps its part`() {
        var shares = ReceiverShares(slots: 8)
        var refused = 0
        for round in 0..<200 {
            let now = Self.at(round * 100)
            guard case .now(let number) = shares.begin("a", at: now) else {
                refused += 1
                continue
            }
            // Each twentieth takes three seconds.
            shares.ended("a", number, at: now.advanced(by: .milliseconds(round % 20 == 0 ? 3_000 : 5)))
        }
        #expect(refused == 0)
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
        ("64:ff9b::a9fe:a9fe", "any"), ("64:ff9b::808:808", "internet"),
        ("100.100.100.200", "any"), ("100.100.100.201", "network"), ("168.63.129.16", "any"),
        ("168.63.129.17", "internet"), ("fd20:ce::254", "any"), ("fd20:ce::255", "network"),
        ("2002:808:808::1", "internet"), ("2002:a00:1::1", "network"), ("2002:7f00:1::1", "any"),
        ("2002:a9fe:a9fe::", "any"), ("64:ff9b:1::808:808", "internet"), ("64:ff9b:1::a00:1", "network"),
        ("64:ff9b:1::a9fe:a9fe", "any"), ("64:ff9b:1:a9fe:a9:fe00::", "any"), ("64:ff9b:1::", "any"),
        ("64:ff9b:1:0:a9:fea9:fe00:0", "any"), ("64:ff9b:2::1", "internet"),
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
