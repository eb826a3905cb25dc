package import ClusterModel
package import ClusterPorts
import NIOCore
import Synchronization

extension FileService {
    /// Opens a folder to read it as a whole, for one download.
    package func read(
        folder path: HomePath, by caller: Caller
    ) async throws(FileServiceError) -> FolderReading {
        let right = try self.rightToSend()
        try self.readings.enter()
        let place = ReadingPlace(self.readings)
        let walk = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.walk(path, in: caller.account.name)
        }
        let scratch = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.scratch(of: right.incarnation)
        }
        let operation = self.operation(by: caller, right)
        let record = TransferRecord(
            id: operation.id, kind: .download, status: .running, account: caller.account.name, path: path,
            size: 0, digest: nil, origin: operation.origin, incarnation: right.incarnation, endedAt: nil)
        return FolderReading(
            path: path, scratch: scratch, walk: walk, record: record, log: self.log, place: place)
    }

    /// The SHA-256 of a file as it is now, if it is still the one that was looked at and no longer than
    /// ``FileLimits/digestedBytes``; else nil.
    ///
    /// Reads all of it: nothing remembers digests in a way that other programs' changes would show.
    package func digest(
        of path: HomePath, as status: FileStatus, by caller: Caller
    ) async throws(FileServiceError) -> Digest? {
        _ = try self.rightToRead()
        guard status.kind == .file, status.size <= self.limits.digestedBytes else { return nil }
        let file = try await onMount(path) { () async throws(VaultError) in
            try await self.vault.open(path, in: caller.account.name)
        }
        var answer: Result<Digest?, FileServiceError> = .success(nil)
        if file.status.entityTag == status.entityTag {
            do throws(FileServiceError) {
                answer = .success(try await self.digest(of: file, path))
            } catch {
                answer = .failure(error)
            }
        }
        await file.close()
        return try answer.get()
    }

    private func digest(of file: any OpenedFile, _ path: HomePath) async throws(FileServiceError) -> Digest? {
        var running = UploadDigest()
        while running.end < file.status.size {
            let from = running.end
            let bytes = try await onMount(path) { () async throws(VaultError) in
                try await file.read(from: from, count: self.limits.readBytes)
            }
            guard bytes.readableBytes > 0 else { return nil }
            running = await running.adding(bytes, at: from)
        }
        return running.end == file.status.size ? running.value : nil
    }
}

/// A folder that is open to be read as a whole; forgotten, it closes.
package struct FolderReading: Sendable {
    package let path: HomePath
    /// For what does not fit into memory.
    package let scratch: any ScratchFile
    fileprivate let walk: any FolderWalk
    private let record: TransferRecord
    private let log: TransferLog
    fileprivate let place: ReadingPlace

    init(
        path: HomePath, scratch: any ScratchFile, walk: any FolderWalk, record: TransferRecord,
        log: TransferLog, place: ReadingPlace
    ) {
        self.path = path
        self.scratch = scratch
        self.walk = walk
        self.record = record
        self.log = log
        self.place = place
    }

    /// Called when the answer begins, once; from then on it is in the transfer log.
    package func begin() -> RunningReading {
        RunningReading(reading: self, transfer: self.log.begin(self.record))
    }
}

/// One download of a folder: read in steps, then ended once, which closes it and logs it.
package struct RunningReading: Sendable {
    private let reading: FolderReading
    private let transfer: OpenTransfer

    init(reading: FolderReading, transfer: OpenTransfer) {
        self.reading = reading
        self.transfer = transfer
    }

    /// For what does not fit into memory.
    package var scratch: any ScratchFile { self.reading.scratch }

    /// What comes next; nothing at the end.
    package func next() async throws(FileServiceError) -> [TreeEntry] {
        try await onMount(self.reading.path) { () async throws(VaultError) in
            try await self.reading.walk.next()
        }
    }

    /// Notes what went to the client.
    package func sent(_ bytes: Int) { self.transfer.add(Int64(bytes)) }

    /// - Parameter failure: why the download was cut off; nil when the client got all of it.
    package func ended(failure: String?) async {
        await self.reading.walk.close()
        self.reading.place.leave()
        await self.transfer.ended(failure: failure)
    }
}

/// A place among the folders that are being read; given up once, at the latest when it is forgotten.
final class ReadingPlace: Sendable {
    private let places: OpenUploads
    private let isLeft = Atomic(false)

    init(_ places: OpenUploads) { self.places = places }

    deinit { self.leave() }

    func leave() {
        if !self.isLeft.exchange(true, ordering: .acquiringAndReleasing) { self.places.leave() }
    }
}
