package import ClusterModel

/// Decides what a refused joiner does: wait, evict those who stand still, or give up.
///
/// Without it twenty dead rows would lock everybody out for ever. The joiner has no chain of heartbeats to prove
/// its own health, so it needs the whole slow window of standing still, looked at without a gap: after an outage of the
/// database everybody stood still, and the joiner may be the first one back.
package struct JoinerWatch: Sendable, Equatable {
    package enum Verdict: Sendable, Equatable {
        /// Somebody who is in the way stands still; look again.
        case wait
        /// They stood still for the slow window.
        case accuse([Stood])
        /// Everybody who is in the way lives.
        case giveUp
    }

    package struct Stood: Sendable, Equatable {
        package var slot: Slot
        package var incarnation: Incarnation
        package var heartbeats: Int64
        package var watched: Duration
    }

    private struct Seen: Sendable, Equatable {
        var heartbeats: Int64
        var since: ClusterInstant
        var moved: Bool
    }

    private var seen: [Incarnation: Seen] = [:]
    private var lookedAt: ClusterInstant?
    private let slowWindow: Duration
    /// Between two looks; a longer gap starts the watching again and leaves everybody time to come back.
    private static let longestGap: Duration = .seconds(1)

    package init(slowWindow: Duration = MembershipTimes.standard.slowWindow) { self.slowWindow = slowWindow }

    /// - Parameter inTheWay: the live members that hold the name, or all the slots.
    package mutating func look(at inTheWay: [Member], now: ClusterInstant) -> Verdict {
        if let lookedAt, now.since(lookedAt) > Self.longestGap { self.seen = [:] }
        self.lookedAt = now
        var seen: [Incarnation: Seen] = [:]
        for member in inTheWay {
            var known =
                self.seen[member.incarnation]
                ?? Seen(heartbeats: member.heartbeats, since: now, moved: false)
            if known.heartbeats != member.heartbeats {
                known = Seen(heartbeats: member.heartbeats, since: now, moved: true)
            }
            seen[member.incarnation] = known
        }
        self.seen = seen
        let stood = inTheWay.compactMap { member -> Stood? in
            guard let known = seen[member.incarnation], now.since(known.since) >= self.slowWindow else {
                return nil
            }
            return Stood(
                slot: member.slot, incarnation: member.incarnation, heartbeats: known.heartbeats,
                watched: now.since(known.since))
        }
        if !stood.isEmpty { return .accuse(stood) }
        return seen.values.allSatisfy(\.moved) && !seen.isEmpty ? .giveUp : .wait
    }
}
