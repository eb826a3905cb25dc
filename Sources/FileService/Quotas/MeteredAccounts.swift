import ClusterModel
import Synchronization

/// Remembers which accounts have a quota, as decisions said: their changes are looked at before they are decided.
///
/// A guess that is wrong costs one more statement and nothing else: the home's row says what is so.
final class MeteredAccounts: Sendable {
    private let known: Mutex<BoundedCache<AccountID, ContinuousClock.Instant>>
    private static let memory: Duration = .seconds(60)

    init(limit: Int) { self.known = Mutex(BoundedCache(limit: limit)) }

    func has(_ account: AccountID) -> Bool {
        self.known.withLock { known in
            guard let until = known.value(account) else { return false }
            guard until < .now else { return true }
            known.forget(account)
            return false
        }
    }

    func learn(_ account: AccountID) { self.known.withLock { $0.keep(.now + Self.memory, for: account) } }
}
