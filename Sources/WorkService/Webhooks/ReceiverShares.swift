package import ClusterModel

/// Decides whether one more message may go to a receiver now, so that one that hangs does not take all of a node's slots.
///
/// A receiver (scheme, host and port) gets three quarters of the slots while it answers, nothing more while half of them hang,
/// and a sixteenth while it is slow as a rule: so the others go on, and it is found out when it answers again. One message
/// that hangs says little; receivers lose some. Whoever gets no turn comes again later, in the time that those before it
/// are likely to take.
package struct ReceiverShares: Sendable, Equatable {
    package enum Turn: Sendable, Equatable {
        /// ``ended(_:_:at:)`` gives the number back.
        case now(Int)
        case later(Duration)
    }

    struct Receiver: Sendable, Equatable {
        /// Since when, by number.
        var inFlight: [Int: ClusterInstant] = [:]
        /// What one message takes, smoothed; good news count more than bad.
        var typical: Duration = .milliseconds(100)
        /// When all that were sent away are likely to have had their turn; passes by itself.
        var freeAt: ClusterInstant = .zero

        var isSlow: Bool { self.typical >= ReceiverShares.slowAfter }
        func isForgettable(at now: ClusterInstant) -> Bool {
            self.inFlight.isEmpty && !self.isSlow && self.freeAt <= now
        }
    }

    /// A message that takes so long hangs; a receiver that usually does is slow.
    package static let slowAfter: Duration = .seconds(2)
    package static let pauses: ClosedRange<Duration> = .milliseconds(250)...(.seconds(60))
    /// Receivers that are remembered; beyond that the idle ones are forgotten.
    private static let remembered = 1_000

    private var receivers: [String: Receiver] = [:]
    private var number = 0
    private let usual: Int
    private let few: Int

    /// - Parameter slots: jobs that the node works on at a time, at least 1.
    package init(slots: Int) {
        self.usual = max(1, slots * 3 / 4)
        self.few = max(1, slots / 16)
    }

    /// - Parameter stays: who gets no turn waits here and asks again, so nobody need come after it yet.
    package mutating func begin(_ name: String, at now: ClusterInstant, stays: Bool = false) -> Turn {
        var receiver = self.receivers[name] ?? Receiver()
        defer { self.receivers[name] = receiver }
        let most = receiver.isSlow ? self.few : self.usual
        let hanging = receiver.inFlight.values.count { now.since($0) >= Self.slowAfter }
        guard receiver.inFlight.count < most, hanging < max(1, self.usual / 2) else {
            let last = now.advanced(by: Self.pauses.upperBound)
            let turn = min(max(receiver.freeAt, now).advanced(by: receiver.typical / most), last)
            if !stays { receiver.freeAt = turn }
            return .later(max(turn.since(now), Self.pauses.lowerBound))
        }
        self.forgetIdle()
        self.number += 1
        receiver.inFlight[self.number] = now
        return .now(self.number)
    }

    /// It has answered, or will not.
    package mutating func ended(_ name: String, _ number: Int, at now: ClusterInstant) {
        guard var receiver = self.receivers[name],
            let began = receiver.inFlight.removeValue(forKey: number)
        else { return }
        let took = max(.milliseconds(1), now.since(began))
        let wasSlow = receiver.isSlow
        receiver.typical =
            took < receiver.typical ? (receiver.typical + took) / 2 : (receiver.typical * 3 + took) / 4
        // It answers again: whoever comes next need not stand behind those who wait for a slow one.
        if wasSlow && !receiver.isSlow { receiver.freeAt = now }
        self.receivers[name] = receiver.isForgettable(at: now) ? nil : receiver
    }

    private mutating func forgetIdle() {
        guard self.receivers.count > Self.remembered else { return }
        self.receivers = self.receivers.filter { !$0.value.inFlight.isEmpty }
    }

    /// Messages under way to a receiver.
    package func inFlight(_ name: String) -> Int { self.receivers[name]?.inFlight.count ?? 0 }
}
