import CLinux
import ClusterModel
import ClusterPorts
import Glibc
import NIOCore
import Synchronization

/// A segment's file; its owner's calls take turns, except that a sync may run beside writes.
///
/// One write is on its way while the bytes of the next come.
final class PosixSegmentFile: SegmentFile {
    let name: StagedName
    private let root: MountRoot
    private let folder: Descriptor
    private let file: Mutex<Descriptor?>
    private let calls: BlockingCalls
    private let behind = WriteBehind()
    /// Whether the name is durable.
    private let isNamed: Mutex<Bool>

    /// The most that one call copies, so that a thread is not taken for long.
    private static let copiedAtOnce: Int64 = 8 * 1_024 * 1_024
    private static let fallbackBytes = 256 * 1_024

    init(
        name: StagedName, isNamed: Bool, root: MountRoot, folder: Descriptor, file: Descriptor,
        calls: BlockingCalls
    ) {
        self.name = name
        self.isNamed = Mutex(isNamed)
        self.root = root
        self.folder = folder
        self.file = Mutex(file)
        self.calls = calls
    }

    deinit { self.close() }

    func write(
        _ pieces: [ByteBuffer], at offset: Int64, along: @escaping @Sendable () -> Void
    ) async throws(VaultError) {
        let file = try self.open()
        let what = "staging \(self.name)"
        try await self.behind.begin(on: self.calls) { () throws(VaultError) in
            try naming(what) { () throws(SystemFailure) in
                var place = offset
                for piece in pieces {
                    try unsafe piece.withUnsafeReadableBytes { (raw) throws(SystemFailure) in
                        try unsafe file.write(raw, at: place)
                    }
                    place += Int64(piece.readableBytes)
                }
                // Early enough that the next sync has little left to do; an error shows there.
                _ = flotilla_start_writing_out(file.raw, offset, place - offset)
            }
            along()
        }
    }

    func rest() async throws(VaultError) { try await self.behind.rest() }

    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        let count = min(max(count, 0), PosixOpenedFile.longestRead)
        return try await self.perform { file throws(SystemFailure) in
            var buffer = ByteBufferAllocator().buffer(capacity: count)
            try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
                (raw) throws(SystemFailure) in
                try unsafe file.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: raw.prefix(count)), at: offset)
            }
            return buffer
        }
    }

    func copy(
        _ range: Range<Int64>, from other: StagedName, to target: Int64
    ) async throws(VaultError) {
        let root = self.root
        let source = try await self.calls.run { () throws(VaultError) in
            guard let entry = try root.stagedEntry(other) else {
                throw .failed("staging \(other) is gone, and with it a part of an upload")
            }
            return try naming("staging \(other)") { () throws(SystemFailure) in
                try entry.folder.open(entry.name, O_RDONLY | O_NOFOLLOW)
            }
        }
        var place = range.lowerBound
        while place < range.upperBound {
            let from = place
            let count = min(Self.copiedAtOnce, range.upperBound - from)
            let copied = try await self.perform { file throws(SystemFailure) in
                try Self.copy(
                    count, at: from, from: source, to: file, at: target + from - range.lowerBound)
            }
            guard copied > 0 else {
                throw .failed(
                    "staging \(other) ends at \(from), before what is durable of it (\(range.upperBound))")
            }
            place += copied
        }
        withExtendedLifetime(source) {}
    }

    /// Answers how much; 0 at the end of the source.
    private static func copy(
        _ count: Int64, at offset: Int64, from source: Descriptor, to file: Descriptor, at target: Int64
    ) throws(SystemFailure) -> Int64 {
        let copied = retried { flotilla_copy_range(source.raw, file.raw, offset, target, count) }
        if copied >= 0 { return copied }
        let failure = SystemFailure.now("copy_file_range")
        // Not every file system can; then the bytes come through here.
        guard [ENOSYS, EOPNOTSUPP, EXDEV, EINVAL, EPERM].contains(failure.code) else { throw failure }
        var bytes = [UInt8](repeating: 0, count: Int(min(count, Int64(Self.fallbackBytes))))
        let read = try unsafe bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemFailure) in
            try unsafe source.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
        bytes.removeSubrange(read...)
        try file.write(bytes, at: target)
        return Int64(read)
    }

    func sync() async throws(VaultError) {
        let folder = self.folder
        let isNamed = self.isNamed.withLock { $0 }
        try await self.perform { file throws(SystemFailure) in
            try file.syncData()
            if !isNamed { try folder.sync() }
        }
        self.isNamed.withLock { $0 = true }
    }

    func seal(size: Int64) async throws(VaultError) -> StagedIdentity {
        let status = try await self.perform { file throws(SystemFailure) in
            let found = try file.status()
            if mode_t(found.mode) & 0o7777 != Layout.fileMode { try file.setMode(Layout.fileMode) }
            if found.size > UInt64(size) { try file.truncate(to: size) }
            try file.sync()
            try file.checkClose()
            return FileStatus(try file.status())
        }
        guard status.size == size else {
            throw .failed("staging \(self.name) has \(status.size) bytes instead of \(size)")
        }
        return StagedIdentity(name: self.name, identity: status.identity)
    }

    /// On a thread, since a close may talk to a server; a call that is running keeps the file open till its end.
    func close() {
        let old = self.file.withLock { file in
            let old = file
            file = nil
            return old
        }
        guard let old else { return }
        self.calls.runLater { withExtendedLifetime(old) {} }
    }

    private func open() throws(VaultError) -> Descriptor {
        guard let file = self.file.withLock({ $0 }) else { throw .failed("staging \(self.name) was closed") }
        return file
    }

    /// Behind what was written before.
    private func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (Descriptor) throws(SystemFailure) -> Answer
    ) async throws(VaultError) -> Answer {
        let file = try self.open()
        try await self.behind.rest()
        let what = "staging \(self.name)"
        return try await self.calls.run { () throws(VaultError) in
            try naming(what) { () throws(SystemFailure) in try body(file) }
        }
    }
}

extension MountRoot {
    /// Opens what this incarnation staged before; fails with `notFound` when it is gone.
    func openStaged(_ name: StagedName) throws(VaultError) -> (folder: Descriptor, file: Descriptor) {
        guard let entry = try self.stagedEntry(name) else { throw .notFound("staging \(name)") }
        return try naming("staging \(name)") { () throws(SystemFailure) in
            (entry.folder, try entry.folder.open(entry.name, O_RDWR | O_NOFOLLOW))
        }
    }
}
