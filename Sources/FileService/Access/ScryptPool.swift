import NIOPosix
import Synchronization

/// Computes and checks password hashes on two threads of its own; more than 32 that wait are refused.
///
/// One client takes a quarter of the places at most, so that somebody who guesses passwords from one address
/// keeps nobody else out.
package final class ScryptPool: Sendable {
    private struct Inside {
        var count = 0
        var ofClient: [String: Int] = [:]
    }

    private let threads: NIOThreadPool
    private let inside = Mutex(Inside())
    private let limit: Int
    private let limitOfClient: Int

    /// Too many wait already.
    package struct Full: Error {}

    package init(threads: Int = 2, queue: Int = 32) {
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.limit = threads + queue
        self.limitOfClient = max(1, self.limit / 4)
        self.threads.start()
    }

    deinit { self.threads.shutdownGracefully { _ in } }

    package func hash(_ password: [UInt8]) async throws -> PasswordHash {
        let salt = RandomBytes.make(PasswordHash.saltBytes)
        return try await self.run(for: nil) { try PasswordHash.of(password, salt: salt) }
    }

    /// - Parameter client: the address of whoever shows the password; nil for nobody in particular.
    package func fits(
        _ password: [UInt8], _ hash: PasswordHash, for client: String? = nil
    ) async throws -> Bool {
        try await self.run(for: client) { hash.fits(password) }
    }

    private func run<Value: Sendable>(
        for client: String?, _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        guard self.enter(client) else { throw Full() }
        defer { self.leave(client) }
        return try await self.threads.runIfActive(work)
    }

    private func enter(_ client: String?) -> Bool {
        self.inside.withLock { inside in
            guard inside.count < self.limit else { return false }
            if let client {
                let count = inside.ofClient[client] ?? 0
                guard count < self.limitOfClient else { return false }
                inside.ofClient[client] = count + 1
            }
            inside.count += 1
            return true
        }
    }

    private func leave(_ client: String?) {
        self.inside.withLock { inside in
            inside.count -= 1
            guard let client, let count = inside.ofClient[client] else { return }
            inside.ofClient[client] = count > 1 ? count - 1 : nil
        }
    }
}

package enum RandomBytes {
    /// From the system's generator, which is fit for keys.
    package static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
