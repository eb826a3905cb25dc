import CLinux
import ClusterPorts
import Glibc
import NIOCore

/// Copies a folder with all that is in it into another, some at a time; all that was copied is synced.
struct TreeCopy: Sendable {
    /// A file in the middle.
    private struct Running {
        var path: [UInt8]
        var source: Descriptor
        var status: FileStatus
        var entry: Entry
        var target: Descriptor
        var place: Int64 = 0
        var attempts = 1
    }

    private var walk: TreeWalk
    /// The folders that are being filled, the outermost first.
    private var targets: [Descriptor]
    private var running: Running?
    /// Copied and not synced.
    private var unsynced: [Descriptor] = []
    private let entriesMax: Int
    private(set) var count = FolderCopyCount()

    private static let filesAtOnce = 64
    /// Of any kind: a folder is entered and left, a file begun and gone on with.
    private static let turnsAtOnce = 256
    private static let bytesAtOnce: Int64 = 32 << 20
    private static let rangeMax: Int64 = 8 << 20
    private static let fallbackBytes = 256 << 10
    private static let attempts = 3

    /// - Parameter target: empty.
    init(_ walk: TreeWalk, to target: Descriptor, entriesMax: Int) {
        self.walk = walk
        self.targets = [target]
        self.entriesMax = entriesMax
    }

    enum OnStep {
        case more
        case done(FileIdentity)
        case tooLarge(String)
        case changing([UInt8])
    }

    mutating func step() throws(SystemFailure) -> OnStep {
        let files = self.count.files
        let bytes = self.count.bytes
        var turns = 0
        while self.count.files - files < Self.filesAtOnce, self.count.bytes - bytes < Self.bytesAtOnce,
            turns < Self.turnsAtOnce
        {
            turns += 1
            if self.running != nil {
                if let path = try self.copyMore() { return .changing(path) }
                continue
            }
            guard self.count.files + self.count.folders <= self.entriesMax else {
                return .tooLarge("it has more than \(self.entriesMax) files and folders")
            }
            switch try self.walk.next() {
            case nil: return .done(try self.finish())
            case .end:
                try self.syncFiles()
                try self.targets.removeLast().sync()
            case .folder(let path, _): try self.makeFolder(Self.name(path))
            case .file(let path, let entry, _): try self.begin(path, entry)
            case .other(let path):
                self.count.leftOut += 1
                if self.count.leftOutPaths.count < FolderCopyCount.named {
                    self.count.leftOutPaths.append(path)
                }
            case .tooDeep(let path):
                return .tooLarge("the folder \(String(decoding: path, as: UTF8.self)) lies too deep in it")
            }
        }
        return .more
    }

    private mutating func finish() throws(SystemFailure) -> FileIdentity {
        try self.syncFiles()
        let root = self.targets[0]
        try root.sync()
        return FileStatus(try root.status()).identity
    }

    private mutating func makeFolder(_ name: [UInt8]) throws(SystemFailure) {
        let parent = self.targets[self.targets.count - 1]
        do {
            try parent.makeFolder(name)
        } catch {
            // Removed and made again meanwhile: some file systems then tell of it twice.
            guard error.code == EEXIST else { throw error }
        }
        let made = try parent.openFolder(name)
        try made.setMode(Layout.folderMode)  // mkdir's is cut by the umask.
        self.targets.append(made)
        self.count.folders += 1
    }

    private mutating func begin(_ path: [UInt8], _ entry: Entry) throws(SystemFailure) {
        guard let (source, status) = try entry.openFile() else { return }
        let target: Descriptor
        do {
            target = try self.targets[self.targets.count - 1].open(
                Self.name(path), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: Layout.fileMode)
        } catch {
            guard error.code == EEXIST else { throw error }
            return
        }
        if mode_t(try target.status().mode) & 0o7777 != Layout.fileMode {
            try target.setMode(Layout.fileMode)
        }
        self.running = Running(path: path, source: source, status: status, entry: entry, target: target)
    }

    /// Copies one range; answers the path of a file that does not hold still.
    private mutating func copyMore() throws(SystemFailure) -> [UInt8]? {
        guard var file = self.running else { return nil }
        let left = file.status.size - file.place
        if left > 0 {
            let copied = try Self.copy(
                min(left, Self.rangeMax), at: file.place, from: file.source, to: file.target)
            file.place += copied
            self.count.bytes += copied
            self.running = file
            guard copied == 0 || file.place == file.status.size else { return nil }
        }
        let now = FileStatus(try file.source.status())
        if file.place == file.status.size, now.identity == file.status.identity {
            _ = flotilla_start_writing_out(file.target.raw, 0, file.place)
            self.unsynced.append(file.target)
            self.count.files += 1
            self.running = nil
            if self.unsynced.count >= Self.filesAtOnce { try self.syncFiles() }
            return nil
        }
        // It changed while it was copied: from the beginning, what has its name now.
        self.count.bytes -= file.place
        guard file.attempts < Self.attempts else { return file.path }
        guard let (source, status) = try file.entry.openFile() else {
            try self.targets[self.targets.count - 1].unlink(Self.name(file.path))
            self.running = nil
            return nil
        }
        try file.target.truncate(to: 0)
        (file.source, file.status) = (source, status)
        file.place = 0
        file.attempts += 1
        self.running = file
        return nil
    }

    private mutating func syncFiles() throws(SystemFailure) {
        for file in self.unsynced {
            try file.sync()
            try file.checkClose()
        }
        self.unsynced = []
    }

    /// Answers how much; 0 at the end of the source.
    private static func copy(
        _ count: Int64, at offset: Int64, from source: Descriptor, to target: Descriptor
    ) throws(SystemFailure) -> Int64 {
        let copied = retried { flotilla_copy_range(source.raw, target.raw, offset, offset, count) }
        if copied >= 0 { return copied }
        let failure = SystemFailure.now("copy_file_range")
        // Not every file system can; then the bytes come through here.
        guard [ENOSYS, EOPNOTSUPP, EXDEV, EINVAL, EPERM].contains(failure.code) else { throw failure }
        let bytes = try source.buffer(at: offset, count: Int(min(count, Int64(Self.fallbackBytes))))
        try unsafe bytes.withUnsafeReadableBytes { (raw) throws(SystemFailure) in
            try unsafe target.write(raw, at: offset)
        }
        return Int64(bytes.readableBytes)
    }

    private static func name(_ path: [UInt8]) -> [UInt8] {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return Array(path[(slash + 1)...])
    }
}
