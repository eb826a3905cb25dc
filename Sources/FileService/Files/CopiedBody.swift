import ClusterModel
import ClusterPorts
import NIOCore

/// The bytes of a file of the mount, for a copy of it; fails at the end when the file is not the same any more.
struct CopiedBody: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let file: any OpenedFile
    let path: HomePath
    /// In bytes.
    let piece: Int
    /// What stands at the path at the end.
    let now: @Sendable () async throws(VaultError) -> FileStatus?

    struct AsyncIterator: AsyncIteratorProtocol {
        let body: CopiedBody
        var place: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            let body = self.body
            let left = body.file.status.size - self.place
            guard left > 0 else {
                try await body.checkUnchanged()
                return nil
            }
            let place = self.place
            let count = Int(Swift.min(left, Int64(body.piece)))
            let bytes = try await onMount(body.path) { () async throws(VaultError) in
                try await body.file.read(from: place, count: count)
            }
            guard bytes.readableBytes > 0 else {
                throw FileServiceError.busy(body.path, retryAfterSeconds: 5)
            }
            self.place += Int64(bytes.readableBytes)
            return bytes
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: self) }

    /// Another file may have the name since: what was read is whole all the same.
    private func checkUnchanged() async throws(FileServiceError) {
        let found = try await onMount(self.path) { () async throws(VaultError) in try await self.now() }
        guard let found, found.identity.inode == self.file.status.identity.inode else { return }
        guard found.identity == self.file.status.identity else {
            throw .busy(self.path, retryAfterSeconds: 5)
        }
    }
}
