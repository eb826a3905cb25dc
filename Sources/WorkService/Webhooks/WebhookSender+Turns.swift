import ClusterModel
import Synchronization

/// Turns at receivers, by ``ReceiverShares``.
extension WebhookSender {
    private static let start = ContinuousClock.now
    private static func now() -> ClusterInstant {
        ClusterInstant.zero.advanced(by: Self.start.duration(to: .now))
    }
    /// Who gets no turn at once waits here for so long: most receivers have room by then, and a node that has nothing but
    /// messages to a receiver that hangs does not turn them over as fast as its database can.
    static let patience: Duration = .milliseconds(200)

    /// Sends when it is the message's turn at its receiver; nil, and when to come again, when it is not.
    ///
    /// - Parameter receiver: those with the same one share turns.
    package func post(
        _ message: WebhookRequest, to receiver: String
    ) async -> (answer: DeliveryAnswer?, later: Duration) {
        var turn = self.shares.withLock { $0.begin(receiver, at: Self.now(), stays: true) }
        if case .later = turn {
            try? await Task.sleep(for: Self.patience)
            turn = self.shares.withLock { $0.begin(receiver, at: Self.now()) }
        }
        switch turn {
        case .later(let pause): return (nil, pause)
        case .now(let number):
            let answer = await self.post(message)
            self.shares.withLock { $0.ended(receiver, number, at: Self.now()) }
            return (answer, .zero)
        }
    }
}
