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
        /// Those that were sent away and have not come again.
        var sentAway = 0
        var sentAwayAt: ClusterInstant = .zero

        var isSlow: Bool { self.typical >= ReceiverShares.slowAfter }
        var isForgettable: Bool { self.inFlight.isEmpty && !self.isSlow && self.sentAway == 0 }
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

    package mutating func begin(_ name: String, at now: ClusterInstant) -> Turn {
        var receiver = self.receivers[name] ?? Receiver()
        defer { self.receivers[name] = receiver }
        let most = receiver.isSlow ? self.few : self.usual
        let hanging = receiver.inFlight.values.count { now.since($0) >= Self.slowAfter }
        if now.since(receiver.sentAwayAt) > Self.pauses.upperBound { receiver.sentAway = 0 }
        guard receiver.inFlight.count < most, hanging < max(1, self.usual / 2) else {
            receiver.sentAway += 1
            receiver.sentAwayAt = now
            let wait = receiver.typical * receiver.sentAway / most
            return .later(min(max(wait, Self.pauses.lowerBound), Self.pauses.upperBound))
        }
        self.forgetIdle()
        receiver.sentAway = max(0, receiver.sentAway - 1)
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
        receiver.typical =
            took < receiver.typical ? (receiver.typical + took) / 2 : (receiver.typical * 3 + took) / 4
        self.receivers[name] = receiver.isForgettable ? nil : receiver
    }

    private mutating func forgetIdle() {
        guard self.receivers.count > Self.remembered else { return }
        self.receivers = self.receivers.filter { !$0.value.inFlight.isEmpty }
    }

    /// Messages under way to a receiver.
    package func inFlight(_ name: String) -> Int { self.receivers[name]?.inFlight.count ?? 0 }
}
