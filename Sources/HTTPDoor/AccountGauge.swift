package import ClusterModel
import Synchronization

/// Counts the requests in hand of each account, where there is a limit.
package final class AccountGauge: Sendable {
    /// Requests of one account at a time; nil for any number.
    package let limit: Int?
    private let inHand = Mutex<[AccountName: Int]>([:])

    package init(limit: Int?) { self.limit = limit }

    /// Counts a request until the place is let go; nil when the account has as many as it may.
    package func enter(_ account: AccountName) -> AccountPlace? {
        guard let limit = self.limit else { return AccountPlace(leave: nil) }
        let entered = self.inHand.withLock { inHand in
            guard inHand[account, default: 0] < limit else { return false }
            inHand[account, default: 0] += 1
            return true
        }
        return entered ? AccountPlace { self.leave(account) } : nil
    }

    private func leave(_ account: AccountName) {
        self.inHand.withLock { inHand in
            let left = (inHand[account] ?? 1) - 1
            inHand[account] = left > 0 ? left : nil
        }
    }
}

/// One request's place among its account's; let go with the last reference, so also when an answer's body is never
/// begun.
package final class AccountPlace: Sendable {
    private let leave: (@Sendable () -> Void)?

    init(leave: (@Sendable () -> Void)?) { self.leave = leave }

    deinit { self.leave?() }
}
