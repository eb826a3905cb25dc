package import ClusterModel
import Crypto
import Foundation
package import HTTPDoor
package import NIOCore

/// `Upload-Checksum`: what the bytes of one request add up to.
package struct TusChecksum: Sendable, Equatable {
    package enum Algorithm: String, Sendable, CaseIterable {
        /// Every server with checksums has to know it.
        case sha1
        case sha256, md5

        var bytes: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .md5: 16
            }
        }
    }

    package let algorithm: Algorithm
    package let value: [UInt8]

    package init(_ digest: ClusterModel.Digest) {
        self.algorithm = .sha256
        self.value = digest.bytes
    }

    package init(_ text: String) throws(Problem) {
        let words = text.split(separator: " ")
        guard words.count == 2 else {
            throw TusHeaders.invalid(TusHeaders.checksum, text, "expected an algorithm and a value in base64")
        }
        guard let algorithm = Algorithm(rawValue: String(words[0])) else {
            let known = Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw TusHeaders.invalid(TusHeaders.checksum, text, "the algorithm is none of \(known)")
        }
        guard let value = Data(base64Encoded: String(words[1])), value.count == algorithm.bytes else {
            throw TusHeaders.invalid(
                TusHeaders.checksum, text, "the value is not \(algorithm.bytes) bytes in base64")
        }
        self.algorithm = algorithm
        self.value = Array(value)
    }
}

/// Computes a checksum on the way.
package struct RunningChecksum: Sendable {
    private enum State: Sendable {
        case sha1(Insecure.SHA1)
        case sha256(SHA256)
        case md5(Insecure.MD5)
    }

    private var state: State

    package init(_ algorithm: TusChecksum.Algorithm) {
        self.state =
            switch algorithm {
            case .sha1: .sha1(Insecure.SHA1())
            case .sha256: .sha256(SHA256())
            case .md5: .md5(Insecure.MD5())
            }
    }

    package mutating func add(_ bytes: ByteBuffer) {
        switch self.state {
        case .sha1(var digest):
            bytes.withUnsafeReadableBytes { digest.update(bufferPointer: $0) }
            self.state = .sha1(digest)
        case .sha256(var digest):
            bytes.withUnsafeReadableBytes { digest.update(bufferPointer: $0) }
            self.state = .sha256(digest)
        case .md5(var digest):
            bytes.withUnsafeReadableBytes { digest.update(bufferPointer: $0) }
            self.state = .md5(digest)
        }
    }

    package var value: [UInt8] {
        switch self.state {
        case .sha1(let digest): Array(digest.finalize())
        case .sha256(let digest): Array(digest.finalize())
        case .md5(let digest): Array(digest.finalize())
        }
    }
}
