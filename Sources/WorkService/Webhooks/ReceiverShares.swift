package import ClusterModel

/// Decides whether one more message may go to a receiver now, so that one that hangs does not take all of a node's slots.
///
/// A receiver (scheme, host and port) gets three quarters of the slots while it answers, and a sixteenth while it is slow: so
/// the others go on, and it is found out when it answers again. Whoever gets no turn comes again later, in the time that
/// those before it are likely to take.
package struct ReceiverShares: Sendable, Equatable {
    package enum Turn: Sendable, Equatable {
        /// ``ended(_:_:at:)`` gives the number back.
        case now(Int)
        case later(Duration)
    }

    struct Receiver: Sendable, Equatable {
        /// Since when, by number.
        var inFlight: [Int: ClusterInstant] = [:]
        var isSlow = false
        /// What one message takes, smoothed.
        var typical: Duration = .milliseconds(100)
        /// Those that were sent away and have not come again.
        var sentAway = 0
        var sentAwayAt: ClusterInstant = .zero

        var isForgettable: Bool { self.inFlight.isEmpty && !self.isSlow && self.sentAway == 0 }
    }

    /// A receiver that takes so long is slow.
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
        let isSlow =
            receiver.isSlow || receiver.inFlight.values.contains { now.since($0) >= Self.slowAfter }
        let most = isSlow ? self.few : self.usual
        if now.since(receiver.sentAwayAt) > Self.pauses.upperBound { receiver.sentAway = 0 }
        guard receiver.inFlight.count < most else {
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
        receiver.isSlow = took >= Self.slowAfter
        receiver.typical = (receiver.typical * 3 + took) / 4
        self.receivers[name] = receiver.isForgettable ? nil : receiver
    }

    private mutating func forgetIdle() {
        guard self.receivers.count > Self.remembered else { return }
        self.receivers = self.receivers.filter { !$0.value.inFlight.isEmpty }
    }

    /// Messages under way to a receiver.
    package func inFlight(_ name: String) -> Int { self.receivers[name]?.inFlight.count ?? 0 }
}
