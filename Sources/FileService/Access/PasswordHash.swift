import Crypto
import CryptoExtras

import struct Foundation.Data

/// A password's scrypt hash as it is stored: `scrypt$N$r$p$salt$hash`, salt and hash in base64.
///
/// N = 2^15, r = 8, p = 1: 32 MiB and some 80 ms, which is OWASP's advice for p = 1 where 2^17 is too much memory for
/// many at once; the bound on checks that run at a time keeps it at 64 MiB. Hashes with other numbers
/// are read as they are, so the numbers can be raised later.
package struct PasswordHash: Sendable, Hashable {
    package var rounds: Int
    package var blockSize: Int
    package var parallelism: Int
    package var salt: [UInt8]
    package var hash: [UInt8]

    package static let rounds = 1 << 15
    package static let blockSize = 8
    package static let parallelism = 1
    package static let saltBytes = 16
    package static let hashBytes = 32

    /// Computes; takes its time and blocks the thread.
    package static func of(_ password: [UInt8], salt: [UInt8]) throws -> PasswordHash {
        var made = PasswordHash(
            rounds: Self.rounds, blockSize: Self.blockSize, parallelism: Self.parallelism, salt: salt,
            hash: [])
        made.hash = try made.compute(password, byteCount: Self.hashBytes)
        return made
    }

    /// Computes; takes its time and blocks the thread.
    package func fits(_ password: [UInt8]) -> Bool {
        guard let computed = try? self.compute(password, byteCount: self.hash.count) else { return false }
        return ConstantTime.equal(computed, self.hash)
    }

    private func compute(_ password: [UInt8], byteCount: Int) throws -> [UInt8] {
        let key = try KDF.Scrypt.deriveKey(
            from: password, salt: self.salt, outputByteCount: byteCount, rounds: self.rounds,
            blockSize: self.blockSize, parallelism: self.parallelism)
        return key.withUnsafeBytes { Array($0) }
    }

    /// Nil when the text is no such hash, or asks for more work than this program is ready to do.
    package init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt",
            let rounds = Int(parts[1]), (2...(1 << 20)).contains(rounds), rounds.nonzeroBitCount == 1,
            let blockSize = Int(parts[2]), (1...32).contains(blockSize),
            let parallelism = Int(parts[3]), (1...16).contains(parallelism),
            let salt = Data(base64Encoded: String(parts[4])),
            let hash = Data(base64Encoded: String(parts[5])),
            (16...128).contains(hash.count)
        else { return nil }
        self.init(
            rounds: rounds, blockSize: blockSize, parallelism: parallelism, salt: Array(salt),
            hash: Array(hash))
    }

    package init(rounds: Int, blockSize: Int, parallelism: Int, salt: [UInt8], hash: [UInt8]) {
        self.rounds = rounds
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.salt = salt
        self.hash = hash
    }

    package var text: String {
        let salt = Data(self.salt).base64EncodedString()
        let hash = Data(self.hash).base64EncodedString()
        return "scrypt$\(self.rounds)$\(self.blockSize)$\(self.parallelism)$\(salt)$\(hash)"
    }

    /// Checked where no account has the name, so that a guess takes the same time; fits no password.
    package static let decoy = PasswordHash(
        rounds: rounds, blockSize: blockSize, parallelism: parallelism,
        salt: [UInt8](repeating: 0x5A, count: saltBytes), hash: [UInt8](repeating: 0, count: hashBytes))
}

package enum ConstantTime {
    /// Takes the same time wherever the first difference is.
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
