import RedisDriver
import Testing

@Suite struct MasterSearchTests {
    private let one = RedisSentinels.Address(host: "s1")
    private let two = RedisSentinels.Address(host: "s2")
    private let master = RedisSentinels.Address(host: "m", port: 1)

    private var search: MasterSearch {
        MasterSearch(RedisSentinels(addresses: [self.one, self.two], master: "m"))
    }

    @Test func `each sentinel is asked once in a round, and the reasons of all are told`() {
        var search = self.search
        #expect(search.next() == .ask(self.one))
        search.sentinelFailed(.unavailable("Connection refused"))
        #expect(search.next() == .ask(self.two))
        search.sentinelFailed(.unavailable("it knows no master 'm'"))
        guard case .giveUp(.unavailable(let why)) = search.next() else {
            Issue.record("the round did not end")
            return
        }
        #expect(why.contains("s1:26379: Redis is not available: Connection refused"))
        #expect(why.contains("s2:26379: Redis is not available: it knows no master 'm'"))
        #expect(search.next() == .ask(self.one))
    }

    @Test func `an address that was tried in vain is not tried again in the same round`() {
        var search = self.search
        _ = search.next()
        #expect(search.named(self.master) == true)
        search.masterFailed(self.master, .unavailable("gone"))
        _ = search.next()
        #expect(search.named(self.master) == false)
        guard case .giveUp = search.next() else {
            Issue.record("the round did not end")
            return
        }
        _ = search.next()
        #expect(search.named(self.master) == true)
    }

    @Test func `the next round begins with the sentinel that led to a master`() {
        var search = self.search
        _ = search.next()
        search.sentinelFailed(.unavailable("gone"))
        #expect(search.next() == .ask(self.two))
        #expect(search.named(self.master) == true)
        search.masterServed()
        #expect(search.next() == .ask(self.two))
        #expect(search.next() == .ask(self.one))
    }

    @Test func `each round in vain takes the next address of a name, and a good one stays`() {
        var search = self.search
        for round in 0..<3 {
            #expect(search.rotation == round)
            _ = search.next()
            search.sentinelFailed(.unavailable("Connection refused"))
            _ = search.next()
            search.sentinelFailed(.unavailable("Connection refused"))
            _ = search.next()
        }
        _ = search.next()
        search.masterServed()
        #expect(search.rotation == 3)
    }
}
