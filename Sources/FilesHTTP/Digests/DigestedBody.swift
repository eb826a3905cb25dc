import ClusterModel
import Crypto
import FileService
import NIOCore

/// A body that fails at its end when it does not have the digests that were announced.
///
/// SHA-256 is not among them: the file service computes that of every upload.
struct DigestedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let body: UploadBody
    let announced: [DigestAlgorithm: [UInt8]]

    struct AsyncIterator: AsyncIteratorProtocol {
        var iterator: UploadBody.AsyncIterator
        var running: [RunningHash]

        @concurrent mutating func next() async throws -> ByteBuffer? {
            if let bytes = try await self.iterator.next() {
                for index in self.running.indices { self.running[index].add(bytes) }
                return bytes
            }
            for hash in self.running {
                if let objection = hash.objection { throw objection }
            }
            return nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(
            iterator: self.body.makeAsyncIterator(),
            running: self.announced.map { RunningHash($0.key, expected: $0.value) })
    }
}

/// Computes one digest on the way.
struct RunningHash: Sendable {
    private enum State: Sendable {
        case sha256(SHA256)
        case sha512(SHA512)
        case sha1(Insecure.SHA1)
        case md5(Insecure.MD5)
    }

    private let algorithm: DigestAlgorithm
    private let expected: [UInt8]
    private var state: State

    init(_ algorithm: DigestAlgorithm, expected: [UInt8]) {
        self.algorithm = algorithm
        self.expected = expected
        self.state =
            switch algorithm {
            case .sha256: .sha256(SHA256())
            case .sha512: .sha512(SHA512())
            case .sha1: .sha1(Insecure.SHA1())
            case .md5: .md5(Insecure.MD5())
            }
    }

    mutating func add(_ bytes: ByteBuffer) {
        switch self.state {
        case .sha256(var hash):
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            self.state = .sha256(hash)
        case .sha512(var hash):
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            self.state = .sha512(hash)
        case .sha1(var hash):
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            self.state = .sha1(hash)
        case .md5(var hash):
            bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
            self.state = .md5(hash)
        }
    }

    /// Nil when the body has the digest.
    var objection: FileServiceError? {
        let value: [UInt8] =
            switch self.state {
            case .sha256(let hash): Array(hash.finalize())
            case .sha512(let hash): Array(hash.finalize())
            case .sha1(let hash): Array(hash.finalize())
            case .md5(let hash): Array(hash.finalize())
            }
        guard value != self.expected else { return nil }
        return .checksumMismatch(
            algorithm: self.algorithm.rawValue, expected: self.expected.hex, received: value.hex)
    }
}
