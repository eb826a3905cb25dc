import Glibc
import Synchronization

/// Random numbers for ids, asked from the system many at a time: each question is a system call.
final class RandomPool: Sendable {
    static let shared = RandomPool()

    private let left = Mutex<[UInt64]>([])
    /// 256 bytes: the most that the system gives at a time (getentropy(3) gives no more).
    private static let count = 32

    func pair() -> (UInt64, UInt64) {
        self.left.withLock { left in
            if left.count < 2 { left = Self.fresh() }
            return (left.removeLast(), left.removeLast())
        }
    }

    private static func fresh() -> [UInt64] {
        var words = [UInt64](repeating: 0, count: Self.count)
        let failed = words.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) }
        guard failed == 0 else {
            return words.map { _ in .random(in: .min ... .max) }
        }
        return words
    }
}
