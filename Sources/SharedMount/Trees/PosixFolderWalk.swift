import ClusterPorts
import Glibc
import NIOCore
import Synchronization

/// A folder that is being read for somebody outside, some entries at a time.
final class PosixFolderWalk: FolderWalk {
    private let walk: Mutex<TreeWalk?>
    private let shown: String
    private let calls: BlockingCalls

    private static let entriesAtOnce = 64
    private static let contentAtOnce = 1 << 20
    /// A larger file is handed over open.
    private static let smallMax: Int64 = 64 << 10
    /// How often a small file that changes while it is read is read again.
    private static let attempts = 3

    init(_ walk: TreeWalk, shown: String, calls: BlockingCalls) {
        self.walk = Mutex(walk)
        self.shown = shown
        self.calls = calls
    }

    deinit { self.closeLater() }

    func next() async throws(VaultError) -> [TreeEntry] {
        guard
            let walk = self.walk.withLock({ walk in
                defer { walk = nil }
                return walk
            })
        else { throw .failed("\(self.shown) is read by somebody else, or was closed") }
        let (shown, calls) = (self.shown, self.calls)
        let (after, entries) = try await self.calls.run { () throws(VaultError) in
            var walk = walk
            let entries = try Self.read(&walk, shown, calls)
            return (walk, entries)
        }
        self.walk.withLock { $0 = after }
        return entries
    }

    private static func read(
        _ walk: inout TreeWalk, _ shown: String, _ calls: BlockingCalls
    ) throws(VaultError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        var content = 0
        while entries.count < Self.entriesAtOnce, content < Self.contentAtOnce {
            let visit = try naming(shown) { () throws(SystemFailure) in try walk.next() }
            switch visit {
            case nil: return entries
            case .end: continue
            case .folder(let path, let status):
                entries.append(TreeEntry(path: path, modified: status.modified, content: .folder))
            case .other(let path):
                entries.append(TreeEntry(path: path, modified: 0, content: .leftOut))
            case .tooDeep(let path):
                throw .failed("the folder \(Self.text(path)) lies deeper than \(Self.deepest) others")
            case .file(let path, let entry, _):
                guard let read = try Self.open(entry, path, calls) else { continue }
                entries.append(read)
                switch read.content {
                case .small(let bytes): content += bytes.readableBytes
                case .file: return entries
                case .folder, .leftOut: break
                }
            }
        }
        return entries
    }

    /// Nil when it is gone.
    private static func open(
        _ entry: Entry, _ path: [UInt8], _ calls: BlockingCalls
    ) throws(VaultError) -> TreeEntry? {
        for _ in 0..<Self.attempts {
            let opened = try naming(Self.text(path)) { () throws(SystemFailure) in try entry.openFile() }
            guard let (file, status) = opened else { return nil }
            guard status.size <= Self.smallMax else {
                let large = PosixTreeFile(file, status, shown: Self.text(path), calls: calls)
                return TreeEntry(path: path, modified: status.modified, content: .file(large))
            }
            let read = try naming(Self.text(path)) { () throws(SystemFailure) -> ByteBuffer? in
                let bytes = try file.buffer(at: 0, count: Int(status.size))
                let isSame = try FileStatus(file.status()).identity == status.identity
                return isSame && bytes.readableBytes == status.size ? bytes : nil
            }
            if let read { return TreeEntry(path: path, modified: status.modified, content: .small(read)) }
        }
        throw .failed("\(Self.text(path)) changes while it is read")
    }

    private static func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }

    func close() async { self.closeLater() }

    /// On a thread, since closing may talk to a server.
    private func closeLater() {
        let old = self.walk.withLock { walk in
            defer { walk = nil }
            return walk
        }
        guard let old else { return }
        self.calls.runLater { withExtendedLifetime(old) {} }
    }
}

/// A large file of a folder that is being read.
final class PosixTreeFile: TreeFile {
    let size: Int64
    private let status: FileStatus
    private let shown: String
    private let file: Mutex<Descriptor?>
    private let calls: BlockingCalls

    init(_ file: Descriptor, _ status: FileStatus, shown: String, calls: BlockingCalls) {
        self.size = status.size
        self.status = status
        self.shown = shown
        self.file = Mutex(file)
        self.calls = calls
    }

    deinit { self.closeLater() }

    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        let count = min(max(count, 0), PosixOpenedFile.longestRead)
        return try await self.perform { file throws(SystemFailure) in
            try file.buffer(at: offset, count: count)
        }
    }

    func isUnchanged() async throws(VaultError) -> Bool {
        let identity = self.status.identity
        return try await self.perform { file throws(SystemFailure) in
            try FileStatus(file.status()).identity == identity
        }
    }

    func close() async { self.closeLater() }

    private func closeLater() {
        let old = self.file.withLock { file in
            defer { file = nil }
            return file
        }
        guard let old else { return }
        self.calls.runLater { withExtendedLifetime(old) {} }
    }

    private func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (Descriptor) throws(SystemFailure) -> Answer
    ) async throws(VaultError) -> Answer {
        guard let file = self.file.withLock({ $0 }) else { throw .failed("\(self.shown) was closed") }
        let shown = self.shown
        return try await self.calls.run { () throws(VaultError) in
            try naming(shown) { () throws(SystemFailure) in try body(file) }
        }
    }
}

/// A file without a name.
final class PosixScratchFile: ScratchFile {
    private let file: Descriptor
    private let size = Mutex<Int64>(0)
    private let calls: BlockingCalls

    init(_ file: Descriptor, calls: BlockingCalls) {
        self.file = file
        self.calls = calls
    }

    deinit {
        let file = self.file
        self.calls.runLater { withExtendedLifetime(file) {} }
    }

    func append(_ bytes: ByteBuffer) async throws(VaultError) {
        let offset = self.size.withLock { size in
            defer { size += Int64(bytes.readableBytes) }
            return size
        }
        let file = self.file
        try await self.calls.run { () throws(VaultError) in
            try naming("a scratch file") { () throws(SystemFailure) in
                try unsafe bytes.withUnsafeReadableBytes { (raw) throws(SystemFailure) in
                    try unsafe file.write(raw, at: offset)
                }
            }
        }
    }

    func read(from offset: Int64, count: Int) async throws(VaultError) -> ByteBuffer {
        let file = self.file
        let count = min(max(count, 0), PosixOpenedFile.longestRead)
        return try await self.calls.run { () throws(VaultError) in
            try naming("a scratch file") { () throws(SystemFailure) in
                try file.buffer(at: offset, count: count)
            }
        }
    }
}

extension Descriptor {
    /// Up to `count` bytes from `offset`.
    func buffer(at offset: Int64, count: Int) throws(SystemFailure) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        try unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) {
            (raw) throws(SystemFailure) in
            try unsafe self.read(into: UnsafeMutableRawBufferPointer(rebasing: raw.prefix(count)), at: offset)
        }
        return buffer
    }
}
