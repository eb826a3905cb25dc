import Synchronization

/// Lets one task fetch a thing while others that want the same wait for its answer.
package final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Value, any Error>?, Never>

    private let flights = Mutex<[Key: [Waiter]]>([:])

    package init() {}

    /// Fetches, or takes the answer of whoever fetches just now.
    ///
    /// One that is cancelled leaves its place to another.
    package func value(_ key: Key, fetch: () async throws -> Value) async throws -> Value {
        while true {
            let flown: Result<Value, any Error>?? = await self.join(key)
            switch flown {
            case .some(.some(let answer)): return try answer.get()
            case .some(.none): continue
            case .none: break
            }
            let answer: Result<Value, any Error>
            do { answer = .success(try await fetch()) } catch { answer = .failure(error) }
            var told: Result<Value, any Error>? = answer
            if case .failure = answer, Task.isCancelled { told = nil }
            for waiter in self.flights.withLock({ $0.removeValue(forKey: key) ?? [] }) {
                waiter.resume(returning: told)
            }
            return try answer.get()
        }
    }

    /// Nil: fetch it.
    ///
    /// An empty answer: try again.
    private func join(_ key: Key) async -> Result<Value, any Error>?? {
        let leads = self.flights.withLock { flights in
            guard flights[key] == nil else { return false }
            flights[key] = []
            return true
        }
        if leads { return nil }
        return await withCheckedContinuation { (waiter: Waiter) in
            let gone = self.flights.withLock { flights in
                guard flights[key] != nil else { return true }
                flights[key]?.append(waiter)
                return false
            }
            if gone { waiter.resume(returning: nil) }
        }
    }
}
