import NIOPosix
import Synchronization

/// Computes and checks password hashes on two threads of its own; more than 32 that wait are refused.
package final class ScryptPool: Sendable {
    private let threads: NIOThreadPool
    private let inside = Mutex(0)
    private let limit: Int

    /// Too many wait already.
    package struct Full: Error {}

    package init(threads: Int = 2, queue: Int = 32) {
        self.threads = NIOThreadPool(numberOfThreads: threads)
        self.limit = threads + queue
        self.threads.start()
    }

    deinit { self.threads.shutdownGracefully { _ in } }

    package func hash(_ password: [UInt8]) async throws -> PasswordHash {
        let salt = RandomBytes.make(PasswordHash.saltBytes)
        return try await self.run { try PasswordHash.of(password, salt: salt) }
    }

    package func fits(_ password: [UInt8], _ hash: PasswordHash) async throws -> Bool {
        try await self.run { hash.fits(password) }
    }

    private func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let enters = self.inside.withLock { inside in
            guard inside < self.limit else { return false }
            inside += 1
            return true
        }
        guard enters else { throw Full() }
        defer { self.inside.withLock { $0 -= 1 } }
        return try await self.threads.runIfActive(work)
    }
}

package enum RandomBytes {
    /// From the system's generator, which is fit for keys.
    package static func make(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
