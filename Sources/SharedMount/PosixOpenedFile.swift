import CLinux
import ClusterPorts
import Glibc
import NIOCore
import Synchronization

/// A file of a home that is being read.
///
/// A small one was read when it was opened, and is closed already. Closed by ``close()``, or when it is forgotten.
final class PosixOpenedFile: OpenedFile {
    let status: FileStatus
    private let shown: String
    private let content: Content
    private let calls: BlockingCalls
    private let isClosed = Atomic(false)

    enum Content: Sendable {
        case whole(ByteBuffer)
        case open(Source)
    }

    /// Closed on a thread, since a close may talk to a server, unless it is to be closed on the spot; what is running
    /// keeps it open till its end.
    final class Source: Sendable {
        private struct State {
            var file: Descriptor?
            /// A second descriptor of the same file, in the form that a socket takes.
            var handle: NIOFileHandle?
        }
        private let state: Mutex<State>
        /// On a disk of this machine.
        let isLocal: Bool
        private let closesOnTheSpot: Bool

        init(_ file: Descriptor, isLocal: Bool, closesOnTheSpot: Bool = false) {
            self.state = Mutex(State(file: file))
            self.isLocal = isLocal
            self.closesOnTheSpot = closesOnTheSpot
        }

        var file: Descriptor? { self.state.withLock { $0.file } }

        /// For regions of it; nil when it was closed.
        func handle() throws(SystemFailure) -> NIOFileHandle? {
            let result: Result<NIOFileHandle?, SystemFailure> = self.state.withLock { state in
                guard let file = state.file else { return .success(nil) }
                if let handle = state.handle { return .success(handle) }
                let copy = fcntl(file.raw, F_DUPFD_CLOEXEC, 0)
                guard copy >= 0 else { return .failure(.now("fcntl")) }
                let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: copy)
                state.handle = handle
                return .success(handle)
            }
            return try result.get()
        }

        func close(on calls: BlockingCalls) {
            let (file, handle) = self.state.withLock { state in
                defer { state = State() }
                return (state.file, state.handle)
            }
            guard file != nil || handle != nil else { return }
            guard !self.closesOnTheSpot else {
                try? handle?.close()
                return
            }
            calls.runLater {
                try? handle?.close()
                withExtendedLifetime(file) {}
            }
        }
    }

    /// The most that one call reads, in bytes.
    static let longestRead = 8 * 1_024 * 1_024
    /// Files up to so many bytes are read as a whole when they are opened: less than two more turns cost.
    static let readAtOnce = 64 * 1_024

    init(shown: String, status: FileStatus, content: Content, calls: BlockingCalls) {
        self.shown = shown
        self.status = status
        self.content = content
        self.calls = calls
    }

    deinit {
        if case .open(let source) = self.content { source.close(on: self.calls) }
    }

    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        guard offset >= 0, count >= 0 else {
            throw .failed("\(self.shown): no offset \(offset), count \(count)")
        }
        switch self.content {
        case .whole(let bytes):
            guard !self.isClosed.load(ordering: .acquiring) else { throw self.closed }
            return Self.part(of: bytes, from: offset, count: count)
        case .open(let source):
            let file = try self.file(of: source)
            let count = min(count, Self.longestRead)
            let shown = self.shown
            return try await self.calls.run { () throws(VaultError) in
                try naming(shown) { () throws(SystemFailure) in try file.bytes(from: offset, count: count) }
            }
        }
    }

    func piece(from offset: Int64, count: Int) async throws(VaultError) -> FilePiece {
        guard case .open(let source) = self.content, source.isLocal, offset >= 0, count > 0 else {
            return .bytes(try await self.read(from: offset, count: count))
        }
        let file = try self.file(of: source)
        let shown = self.shown
        // Somebody may have cut it shorter, and a region must end within the file.
        let size = try naming(shown) { () throws(SystemFailure) in Int64(try file.status().size) }
        let count = Int(min(Int64(count), max(0, size - offset)))
        guard count > 0 else { return .bytes(ByteBuffer()) }
        if flotilla_is_cached(file.raw, offset, Int64(count)) != 1 {
            try await self.calls.run { () throws(VaultError) in
                try naming(shown) { () throws(SystemFailure) in
                    guard flotilla_bring_in(file.raw, offset, Int64(count)) == 0 else { throw .now("pread") }
                }
            }
        }
        let handle = try naming(shown) { () throws(SystemFailure) in try source.handle() }
        guard let handle else { throw self.closed }
        return .region(
            FileRegion(fileHandle: handle, readerIndex: Int(offset), endIndex: Int(offset) + count))
    }

    func readyPiece(from offset: Int64, count: Int) -> FilePiece? {
        switch self.content {
        case .whole(let bytes): return .bytes(Self.part(of: bytes, from: offset, count: count))
        case .open(let source):
            guard source.isLocal, let file = source.file, offset >= 0, count > 0,
                let status = try? file.status(), Int64(status.size) >= offset + Int64(count),
                flotilla_is_cached(file.raw, offset, Int64(count)) == 1,
                let handle = try? source.handle()
            else { return nil }
            return .region(
                FileRegion(fileHandle: handle, readerIndex: Int(offset), endIndex: Int(offset) + count))
        }
    }

    func close() async { self.closeSoon() }

    func closeSoon() {
        self.isClosed.store(true, ordering: .releasing)
        if case .open(let source) = self.content { source.close(on: self.calls) }
    }

    private var closed: VaultError { .failed("\(self.shown) was closed before the read") }

    private func file(of source: Source) throws(VaultError) -> Descriptor {
        guard let file = source.file else { throw self.closed }
        return file
    }

    private static func part(of bytes: ByteBuffer, from offset: Int64, count: Int) -> ByteBuffer {
        guard offset < bytes.readableBytes else { return ByteBuffer() }
        let start = Int(offset)
        let length = min(count, bytes.readableBytes - start)
        return bytes.getSlice(at: bytes.readerIndex + start, length: length) ?? ByteBuffer()
    }
}

extension Descriptor {
    /// Up to `count` bytes; fewer at the end of the file.
    func bytes(from offset: Int64, count: Int) throws(SystemFailure) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
            (raw) throws(SystemFailure) in
            try unsafe self.read(into: UnsafeMutableRawBufferPointer(rebasing: raw.prefix(count)), at: offset)
        }
        return buffer
    }
}

extension Descriptor {
    /// The whole of a file that has so many bytes, if all of it is in memory; never blocks.
    func readyBytes(count: Int) -> ByteBuffer? {
        var buffer = ByteBufferAllocator().buffer(capacity: count + 1)
        // One byte more: whoever finds it knows that the file grew.
        let read = unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count + 1) { raw in
            max(0, Int(unsafe flotilla_read_cached(self.raw, raw.baseAddress, Int64(count) + 1, 0)))
        }
        return read == count ? buffer : nil
    }
}
