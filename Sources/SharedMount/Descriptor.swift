import CLinux
import Glibc
import Synchronization

/// An open file or folder, closed when nobody holds it any more.
///
/// Names are single components given as bytes; a final link is never followed. Every call blocks.
final class Descriptor: Sendable {
    let raw: CInt

    init(raw: CInt) { self.raw = raw }

    deinit { self.close() }

    private let isClosed = Atomic(false)

    /// Closes it now, on this thread: for what may block, or frees much, on whatever thread would let go of it last.
    ///
    /// Nobody may use it afterwards.
    func close() {
        if !self.isClosed.exchange(true, ordering: .acquiringAndReleasing) { _ = Glibc.close(self.raw) }
    }

    /// The only look-up by a path of the whole system.
    ///
    /// Links on the way to the mount are fine.
    static func folder(at path: String) throws(SystemFailure) -> Descriptor {
        let raw = retried { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard raw >= 0 else { throw .now("open") }
        return Descriptor(raw: raw)
    }

    /// Opens a path below this folder, without links and without leaving it.
    func open(_ path: [UInt8], _ flags: CInt, mode: mode_t = 0) throws(SystemFailure) -> Descriptor {
        let raw = unsafe flotilla_open_beneath(self.raw, path.terminated, flags, mode)
        guard raw >= 0 else { throw .now("openat2") }
        return Descriptor(raw: raw)
    }

    /// A file to read, if nothing has to be fetched for it.
    func openReady(_ path: [UInt8]) -> Descriptor? {
        let raw = unsafe flotilla_open_cached(self.raw, path.terminated, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        return raw >= 0 ? Descriptor(raw: raw) : nil
    }

    func openFolder(_ path: [UInt8]) throws(SystemFailure) -> Descriptor {
        try self.open(path, O_RDONLY | O_DIRECTORY)
    }

    func openFolder(_ path: String) throws(SystemFailure) -> Descriptor {
        try self.openFolder(Array(path.utf8))
    }

    /// Of this file or folder itself.
    func status() throws(SystemFailure) -> flotilla_file_status {
        var status = flotilla_file_status()
        guard unsafe flotilla_status(self.raw, [0], &status) == 0 else { throw .now("statx") }
        return status
    }

    /// Of a name in this folder; nil when there is none.
    func status(of name: [UInt8]) throws(SystemFailure) -> flotilla_file_status? {
        var status = flotilla_file_status()
        if unsafe flotilla_status(self.raw, name.terminated, &status) == 0 { return status }
        if errno == ENOENT { return nil }
        throw .now("statx")
    }

    func makeFolder(_ name: [UInt8]) throws(SystemFailure) {
        guard unsafe mkdirat(self.raw, name.terminated, Layout.folderMode) == 0 else { throw .now("mkdirat") }
    }

    func unlink(_ name: [UInt8]) throws(SystemFailure) {
        guard unsafe unlinkat(self.raw, name.terminated, 0) == 0 else { throw .now("unlinkat") }
    }

    func removeFolder(_ name: [UInt8]) throws(SystemFailure) {
        guard unsafe unlinkat(self.raw, name.terminated, AT_REMOVEDIR) == 0 else { throw .now("unlinkat") }
    }

    func link(_ name: [UInt8], to folder: Descriptor, _ newName: [UInt8]) throws(SystemFailure) {
        guard unsafe linkat(self.raw, name.terminated, folder.raw, newName.terminated, 0) == 0 else {
            throw .now("linkat")
        }
    }

    func setMode(_ mode: mode_t) throws(SystemFailure) {
        guard fchmod(self.raw, mode) == 0 else { throw .now("fchmod") }
    }

    func sync() throws(SystemFailure) {
        guard retried({ fsync(self.raw) }) == 0 else { throw .now("fsync") }
    }

    /// The bytes, and of the file's attributes what finding them needs.
    func syncData() throws(SystemFailure) {
        guard retried({ fdatasync(self.raw) }) == 0 else { throw .now("fdatasync") }
    }

    func truncate(to size: Int64) throws(SystemFailure) {
        guard retried({ ftruncate(self.raw, off_t(size)) }) == 0 else { throw .now("ftruncate") }
    }

    /// Writes all of it.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(SystemFailure) {
        var done = 0
        while done < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = retried {
                unsafe pwrite(self.raw, rest.baseAddress, rest.count, off_t(offset) + done)
            }
            guard count > 0 else {
                throw count == 0 ? SystemFailure(call: "pwrite", code: EIO) : .now("pwrite")
            }
            done += count
        }
    }

    /// Closes a second descriptor of the same file: that is where some file systems report what they could
    /// not write, and this one stays to be looked at.
    func checkClose() throws(SystemFailure) {
        let copy = fcntl(self.raw, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .now("fcntl") }
        guard Glibc.close(copy) == 0 || errno == EINTR else { throw .now("close") }
    }

    func write(_ bytes: [UInt8], at offset: Int64 = 0) throws(SystemFailure) {
        try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(SystemFailure) in
            try unsafe self.write(UnsafeRawBufferPointer(buffer), at: offset)
        }
    }

    /// Fills the buffer as far as the file goes; answers how far.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemFailure) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = retried { unsafe pread(self.raw, rest.baseAddress, rest.count, off_t(offset) + done) }
            guard count >= 0 else { throw .now("pread") }
            guard count > 0 else { break }
            done += count
        }
        return done
    }

    /// The first bytes of the file.
    func read(atMost limit: Int) throws(SystemFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = try unsafe bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemFailure) in
            try unsafe self.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        return Array(bytes.prefix(count))
    }
}

/// Again while a signal interrupts the call.
func retried<Answer: SignedInteger>(_ call: () -> Answer) -> Answer {
    while true {
        let answer = call()
        if answer >= 0 || errno != EINTR { return answer }
    }
}

extension [UInt8] {
    /// For C: with a zero at the end.
    var terminated: [CChar] {
        var text: [CChar] = []
        text.reserveCapacity(self.count + 1)
        for byte in self { text.append(CChar(bitPattern: byte)) }
        text.append(0)
        return text
    }
}
