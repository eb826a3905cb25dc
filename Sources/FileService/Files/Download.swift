import ClusterModel
package import ClusterPorts
package import NIOCore

/// One download: read in pieces, then ended once, which closes the file and logs it.
package struct Download: Sendable {
    private let file: any OpenedFile
    private let path: HomePath
    private let longestRead: Int
    private let transfer: OpenTransfer

    init(file: any OpenedFile, path: HomePath, longestRead: Int, transfer: OpenTransfer) {
        self.file = file
        self.path = path
        self.longestRead = longestRead
        self.transfer = transfer
    }

    /// Of the file that was opened, whatever happens to its name.
    package var status: FileStatus { self.file.status }

    /// Up to `count` bytes, 1 MiB at most; empty at the end of the file.
    package func read(from offset: Int64, count: Int) async throws(FileServiceError) -> ByteBuffer {
        let count = min(count, self.longestRead)
        let bytes = try await onMount(self.path) { () async throws(VaultError) in
            try await self.file.read(from: offset, count: count)
        }
        self.transfer.add(Int64(bytes.readableBytes))
        return bytes
    }

    /// The same for a socket; a region may have as many bytes as are asked for.
    package func piece(from offset: Int64, count: Int) async throws(FileServiceError) -> FilePiece {
        let piece = try await onMount(self.path) { () async throws(VaultError) in
            try await self.file.piece(from: offset, count: count)
        }
        self.transfer.add(Int64(piece.count))
        return piece
    }

    /// The same as ``ended(sent:failure:)`` without waiting.
    package func endedNow(sent: Int64, failure: String?) {
        self.file.closeSoon()
        self.transfer.endedNow(size: sent, failure: failure)
    }

    /// Closes the file and writes the transfer log.
    ///
    /// - Parameters:
    ///   - sent: bytes that went to the client.
    ///   - failure: why the download was cut off; nil when the client got all that it asked for.
    package func ended(sent: Int64, failure: String?) async {
        await self.file.close()
        await self.transfer.ended(size: sent, failure: failure)
    }
}
