import CLinux
import ClusterModel
import ClusterPorts
import Crypto
import Glibc
import NIOCore
import Synchronization

/// A file in staging that is being written.
///
/// Small buffers are gathered, so that a hop to a thread is paid for 256 KiB and not for each (16 KiB when many
/// uploads gather, ``GatherBudget``); what is gathered counts as written. After a failed write only ``discard()`` is left: what the kernel kept of it
/// nobody knows.
final class PosixStagedFile: StagedFile {
    let name: StagedName
    private let folder: Descriptor
    private let calls: BlockingCalls
    private let budget: GatherBudget
    private let state: Mutex<State>

    private enum State {
        /// Goes to `busy` or `ended`.
        case open(Writing)
        /// A call is running on a thread; the next one is a mistake of the caller. Goes to `open` or `ended`.
        case busy
        case ended
    }

    /// Belongs to whoever took it out of the state.
    private struct Writing: Sendable {
        let file: Descriptor
        var digest = SHA256()
        /// Written to the file.
        var written: Int64 = 0
        /// The kernel was asked to write out what lies before.
        var pushed: Int64 = 0
        var gathered = ByteBuffer()
        var failure: VaultError?

        var total: Int64 { self.written + Int64(self.gathered.readableBytes) }
    }

    /// Early enough that the sync at the end has little left to do.
    private static let pushEvery: Int64 = 8 * 1_024 * 1_024

    init(
        name: StagedName, folder: Descriptor, file: Descriptor, calls: BlockingCalls, budget: GatherBudget
    ) {
        self.name = name
        self.folder = folder
        self.calls = calls
        self.budget = budget
        self.state = Mutex(.open(Writing(file: file)))
    }

    deinit {
        guard case .open(let writing) = self.state.withLock({ $0 }) else { return }
        self.budget.change(by: -writing.gathered.readableBytes)
        let (folder, name) = (self.folder, self.name)
        self.calls.runLater { Self.abandon(writing.file, name, in: folder) }
    }

    func append(_ bytes: ByteBuffer) async throws(VaultError) -> Int64 {
        var writing = try self.take()
        if writing.gathered.readableBytes + bytes.readableBytes < self.budget.piece {
            writing.gathered.writeImmutableBuffer(bytes)
            self.budget.change(by: bytes.readableBytes)
            self.put(writing)
            return writing.total
        }
        let (name, taken) = (self.name, writing)
        let gathered = taken.gathered.readableBytes
        do {
            writing = try await self.calls.run { () throws(VaultError) in
                var writing = taken
                try Self.flush(&writing, name)
                try Self.write(bytes, &writing, name)
                return writing
            }
        } catch {
            writing.failure = error
            self.put(writing)
            throw error
        }
        self.budget.change(by: -gathered)
        self.put(writing)
        return writing.total
    }

    func seal() async throws(VaultError) -> SealedFile {
        var taken = try self.take()
        let (name, folder, writing) = (self.name, self.folder, taken)
        do {
            let sealed = try await self.calls.run { () throws(VaultError) in
                var writing = writing
                try Self.flush(&writing, name)
                return try Self.finish(writing, name, folder)
            }
            self.budget.change(by: -taken.gathered.readableBytes)
            self.state.withLock { $0 = .ended }
            return sealed
        } catch {
            taken.failure = error
            self.put(taken)
            throw error
        }
    }

    func discard() async {
        guard
            case .open(let writing) = self.state.withLock({ state in
                let old = state
                if case .open = old { state = .ended }
                return old
            })
        else { return }
        self.budget.change(by: -writing.gathered.readableBytes)
        let (folder, name) = (self.folder, self.name)
        // Refused when too much waits: then a thread does it some time.
        do {
            try await self.calls.run { Self.abandon(writing.file, name, in: folder) }
        } catch {
            self.calls.runLater { Self.abandon(writing.file, name, in: folder) }
        }
    }

    private func take() throws(VaultError) -> Writing {
        let taken: Result<Writing, VaultError> = self.state.withLock { state in
            switch state {
            case .open(let writing):
                if let failure = writing.failure { return .failure(failure) }
                state = .busy
                return .success(writing)
            case .busy: return .failure(.failed("staging \(self.name) is being written by somebody else"))
            case .ended: return .failure(.failed("staging \(self.name) is sealed or discarded"))
            }
        }
        return try taken.get()
    }

    private func put(_ writing: Writing) { self.state.withLock { $0 = .open(writing) } }
}

// What runs on a thread of the pool.
extension PosixStagedFile {
    private static func flush(_ writing: inout Writing, _ name: StagedName) throws(VaultError) {
        guard writing.gathered.readableBytes > 0 else { return }
        let gathered = writing.gathered
        // A new one grows as it is needed: most uploads are small, or slow.
        writing.gathered = ByteBuffer()
        try Self.write(gathered, &writing, name)
    }

    private static func write(
        _ bytes: ByteBuffer, _ writing: inout Writing, _ name: StagedName
    ) throws(VaultError) {
        try naming("staging \(name)") { () throws(SystemFailure) in
            try unsafe bytes.withUnsafeReadableBytes { (raw) throws(SystemFailure) in
                try unsafe writing.file.write(raw, at: writing.written)
                unsafe writing.digest.update(bufferPointer: raw)
            }
        }
        writing.written += Int64(bytes.readableBytes)
        guard writing.written - writing.pushed >= Self.pushEvery else { return }
        // Only asked for; an error shows in the sync.
        _ = flotilla_start_writing_out(writing.file.raw, writing.pushed, writing.written - writing.pushed)
        writing.pushed = writing.written
    }

    private static func finish(
        _ writing: Writing, _ name: StagedName, _ folder: Descriptor
    ) throws(VaultError) -> SealedFile {
        let status = try naming("staging \(name)") { () throws(SystemFailure) in
            if try mode_t(writing.file.status().mode) & 0o7777 != Layout.fileMode {
                try writing.file.setMode(Layout.fileMode)  // The umask took some.
            }
            try writing.file.sync()
            try writing.file.checkClose()
            return FileStatus(try writing.file.status())
        }
        guard status.size == writing.written else {
            throw .failed("staging \(name) has \(status.size) bytes after \(writing.written) were written")
        }
        guard let digest = Digest(Array(writing.digest.finalize())) else {
            throw .failed("staging \(name): SHA-256 has no 32 bytes")
        }
        return SealedFile(staged: StagedIdentity(name: name, identity: status.identity), digest: digest)
    }

    private static func abandon(_ file: Descriptor, _ name: StagedName, in folder: Descriptor) {
        // The descriptor closes when the last closure that holds it is gone.
        withExtendedLifetime(file) { try? folder.unlink(Array(name.file.utf8)) }
    }
}
