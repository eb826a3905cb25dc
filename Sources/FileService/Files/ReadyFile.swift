package import ClusterModel
package import ClusterPorts
import NIOCore

/// A file that can be sent on the spot: it was opened, and what is asked of it lies in memory.
///
/// Nothing here blocks or waits, so it may run on the thread of a connection.
package struct ReadyFile: Sendable {
    fileprivate let file: any OpenedFile
    fileprivate let service: FileService
    fileprivate let right: NodeRight
    private let path: HomePath

    fileprivate init(_ file: any OpenedFile, at path: HomePath, _ service: FileService, _ right: NodeRight) {
        self.file = file
        self.path = path
        self.service = service
        self.right = right
    }

    package var status: FileStatus { self.file.status }

    /// Nil when it does not lie in memory: then it is to be sent the long way.
    package func piece(_ bytes: Range<Int64>) -> FilePiece? {
        guard !bytes.isEmpty else { return .bytes(.init()) }
        return self.file.readyPiece(from: bytes.lowerBound, count: bytes.count)
    }

    /// Notes that it is sent; ends with ``Download/endedNow(sent:failure:)``.
    package func begin(by caller: Caller) -> Download {
        self.service.download(of: self.file, at: self.path, by: caller, self.right)
    }

    /// When it is not sent after all.
    package func close() { self.file.closeSoon() }
}

extension FileService {
    /// Nil whenever it is not sure to succeed on the spot.
    package func ready(_ path: HomePath, by caller: Caller) -> ReadyFile? {
        guard let right = try? self.rightToRead(), !path.isHome, self.log.hasRoom,
            let file = self.vault.openReady(path, in: caller.account.name)
        else { return nil }
        return ReadyFile(file, at: path, self, right)
    }
}
