import ClusterModel
import ClusterPorts
import FileService
import HTTPDoor
import HummingbirdCore
import NIOCore
import NIOHTTPTypes

/// A folder on its way to a client as a ZIP archive, entry by entry.
///
/// Holds what is being sent and at most ``directoryInMemory`` of the archive's directory, whatever is in the folder. What goes
/// away before its turn is not in the archive. What changes while it is sent ends the answer with an error, so that
/// the client sees a broken archive and not a wrong one.
struct ArchiveStream {
    private let reading: RunningReading
    private let channel: any Channel
    /// In front of each name.
    private let prefix: [UInt8]
    private var sent: UInt64 = 0
    private var gathered = ByteBuffer()
    private var entries: UInt64 = 0
    /// The end of the directory; what comes before it is in the scratch file.
    private var directory = ByteBuffer()
    private var spilled: UInt64 = 0

    private static let gatheredMax = 128 << 10
    /// Four blocks.
    private static let piece = 4 * ZipRecord.blockMax
    private static let directoryInMemory = 1 << 20

    init(_ reading: RunningReading, prefix: [UInt8], channel: any Channel) {
        self.reading = reading
        self.prefix = prefix
        self.channel = channel
    }

    /// Sends all of it.
    mutating func send() async throws {
        if !self.prefix.isEmpty {
            try await self.sendWhole(self.record([], 0, isFolder: true), content: ByteBuffer())
        }
        while true {
            let entries = try await self.reading.next()
            if entries.isEmpty { break }
            for entry in entries { try await self.send(entry) }
        }
        try await self.sendEnd()
    }

    private mutating func send(_ entry: TreeEntry) async throws {
        switch entry.content {
        case .leftOut: return
        case .folder:
            try await self.sendWhole(
                self.record(entry.path, entry.modified, isFolder: true), content: ByteBuffer())
        case .small(let bytes):
            try await self.sendWhole(self.record(entry.path, entry.modified), content: bytes)
        case .file(let file):
            do {
                try await self.send(file, self.record(entry.path, entry.modified))
            } catch {
                await file.close()
                throw error
            }
            await file.close()
        }
    }

    private func record(_ path: [UInt8], _ modified: Int64, isFolder: Bool = false) -> ZipRecord {
        var name = self.prefix + path
        if isFolder, name.last != UInt8(ascii: "/") { name.append(UInt8(ascii: "/")) }
        return ZipRecord(
            name: name, modified: modified / 1_000_000_000,
            offset: self.sent + UInt64(self.gathered.readableBytes))
    }

    /// What is known when its header is written.
    private mutating func sendWhole(_ record: ZipRecord, content: ByteBuffer) async throws {
        var record = record
        var crc = CRC32()
        crc.add(content)
        record.size = UInt64(content.readableBytes)
        record.crc = crc.value
        record.writeHeader(to: &self.gathered)
        self.gathered.writeImmutableBuffer(content)
        try await self.note(record)
        if self.gathered.readableBytes >= Self.gatheredMax { try await self.flush() }
    }

    private mutating func send(_ file: any TreeFile, _ record: ZipRecord) async throws {
        var record = record
        record.size = UInt64(file.size)
        record.isDescribed = true
        record.writeHeader(to: &self.gathered)
        try await self.flush()
        var crc = CRC32()
        var place: Int64 = 0
        var piece = try await Self.piece(of: file, at: place)
        while piece.readableBytes > 0 {
            place += Int64(piece.readableBytes)
            let next = place
            // The mount reads while the client takes.
            async let following = Self.piece(of: file, at: next)
            crc.add(piece)
            // Only the end of a file, or one that has become shorter, is no whole number of blocks.
            try await self.handBlocks(of: piece, isLast: place == file.size)
            piece = try await following
        }
        guard place == file.size, try await file.isUnchanged() else {
            throw FileServiceError.busy(self.shown(record), retryAfterSeconds: 5)
        }
        record.crc = crc.value
        record.writeDescriptor(to: &self.gathered)
        try await self.note(record)
    }

    private mutating func handBlocks(of piece: ByteBuffer, isLast: Bool) async throws {
        var rest = piece
        while let block = rest.readSlice(length: min(rest.readableBytes, ZipRecord.blockMax)),
            block.readableBytes > 0
        {
            ZipRecord.writeBlock(
                block.readableBytes, isLast: isLast && rest.readableBytes == 0, to: &self.gathered)
            try await self.flush()
            try await self.hand(block)
        }
    }

    private static func piece(of file: any TreeFile, at place: Int64) async throws -> ByteBuffer {
        guard place < file.size else { return ByteBuffer() }
        return try await file.read(from: place, count: Int(min(file.size - place, Int64(Self.piece))))
    }

    /// Puts an entry into the directory.
    private mutating func note(_ record: ZipRecord) async throws {
        self.entries += 1
        record.writeDirectoryEntry(to: &self.directory)
        guard self.directory.readableBytes >= Self.directoryInMemory else { return }
        try await self.reading.scratch.append(self.directory)
        self.spilled += UInt64(self.directory.readableBytes)
        self.directory.clear()
    }

    private mutating func sendEnd() async throws {
        try await self.flush()
        let offset = self.sent
        var place: UInt64 = 0
        while place < self.spilled {
            let piece = try await self.reading.scratch.read(from: Int64(place), count: Self.piece)
            guard piece.readableBytes > 0 else {
                throw FileServiceError.failed("the archive's directory was lost")
            }
            place += UInt64(piece.readableBytes)
            try await self.hand(piece)
        }
        let size = self.spilled + UInt64(self.directory.readableBytes)
        self.gathered.writeImmutableBuffer(self.directory)
        ZipRecord.writeEnd(entries: self.entries, offset: offset, size: size, to: &self.gathered)
        try await self.flush()
    }

    private mutating func flush() async throws {
        guard self.gathered.readableBytes > 0 else { return }
        let bytes = self.gathered
        self.gathered = ByteBuffer()
        try await self.hand(bytes)
    }

    /// Returns when the system has taken the piece, so that a slow client holds up the reading; behind the head, which was
    /// handed over before.
    private mutating func hand(_ piece: ByteBuffer) async throws {
        let channel = self.channel
        try await withTaskCancellationHandler {
            try await channel.writeAndFlush(HTTPResponsePart.body(piece)).get()
        } onCancel: {
            channel.close(promise: nil)
        }
        self.sent += UInt64(piece.readableBytes)
        self.reading.sent(piece.readableBytes)
    }

    private func shown(_ record: ZipRecord) -> HomePath { (try? HomePath(bytes: record.name)) ?? .home }
}
