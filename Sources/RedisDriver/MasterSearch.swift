/// Decides which sentinel is asked next, and whether what it said is worth an attempt.
///
/// Asks nobody and reads no clock. One round goes once through all sentinels, beginning with the one that
/// led to a master last. An address that was tried in vain in this round is not tried again because another
/// sentinel names it too.
package struct MasterSearch: Sendable, Equatable {
    private let addresses: [RedisSentinels.Address]
    /// Where a round begins.
    private var first = 0
    private var asked = 0
    /// Rounds in vain: a name with several addresses is tried at the next of them in each.
    package private(set) var rotation = 0
    private var triedInVain: [RedisSentinels.Address] = []
    private var reasons: [String] = []

    package init(_ sentinels: RedisSentinels) {
        self.addresses = sentinels.addresses
    }

    package enum Next: Sendable, Equatable {
        case ask(RedisSentinels.Address)
        /// All were asked, and none led to a master.
        case giveUp(RedisError)
    }

    /// The next sentinel of this round; `giveUp` ends the round, and the next call begins another.
    package mutating func next() -> Next {
        guard self.asked < self.addresses.count else {
            let why = self.reasons.joined(separator: "; ")
            self.startOver()
            self.rotation += 1
            return .giveUp(.unavailable("no sentinel led to a master: \(why)"))
        }
        defer { self.asked += 1 }
        return .ask(self.addresses[(self.first + self.asked) % self.addresses.count])
    }

    /// Whether to connect to what the sentinel named.
    package mutating func named(_ master: RedisSentinels.Address) -> Bool {
        guard self.triedInVain.contains(master) else { return true }
        self.reasons.append("\(self.lastAsked) names \(master) as well")
        return false
    }

    /// The sentinel did not name a master.
    package mutating func sentinelFailed(_ why: RedisError) {
        self.reasons.append("\(self.lastAsked): \(why)")
    }

    /// What it named could not be reached, or is no master.
    package mutating func masterFailed(_ master: RedisSentinels.Address, _ why: RedisError) {
        self.triedInVain.append(master)
        self.reasons.append("\(self.lastAsked) names \(master): \(why)")
    }

    /// The connection to what it named was good, and has ended: the next round begins with the same sentinel.
    package mutating func masterServed() {
        self.first = (self.first + max(0, self.asked - 1)) % self.addresses.count
        self.startOver()
    }

    private var lastAsked: RedisSentinels.Address {
        self.addresses[(self.first + max(0, self.asked - 1)) % self.addresses.count]
    }

    private mutating func startOver() {
        self.asked = 0
        self.triedInVain = []
        self.reasons = []
    }
}
