import CLinux
import Glibc

/// Reads the names in a folder, in the order in which the file system has them; `.` and `..` are left out.
///
/// Holds a descriptor of its own, since the place in the folder belongs to that, and one buffer.
struct FolderReader: Sendable {
    private let folder: Descriptor
    private var buffer: [UInt8]
    private var place = 0
    private var end = 0

    /// Of the kernel's record: where its length and its name are.
    private static let lengthAt = 16
    private static let nameAt = 19

    /// - Parameter buffer: in bytes; a record has 280 at most.
    init(_ folder: Descriptor, buffer: Int = 32 << 10) throws(SystemFailure) {
        self.folder = try folder.open([UInt8(ascii: ".")], O_RDONLY | O_DIRECTORY)
        self.buffer = [UInt8](repeating: 0, count: buffer)
    }

    /// Nil at the end.
    mutating func next() throws(SystemFailure) -> [UInt8]? {
        while true {
            if self.place >= self.end {
                guard try self.fill() else { return nil }
            }
            let name = unsafe self.buffer.withUnsafeBytes { bytes -> [UInt8]? in
                let name = unsafe Self.name(bytes, at: self.place)
                return unsafe Self.isOwn(name) ? nil : Array(name)
            }
            self.place += self.recordLength
            if let name { return name }
        }
    }

    /// Goes on while `body` answers true; what it is given is gone when it returns.
    mutating func eachName(_ body: (UnsafeRawBufferPointer) -> Bool) throws(SystemFailure) {
        while try self.fill() {
            while self.place < self.end {
                let goesOn = unsafe self.buffer.withUnsafeBytes { bytes in
                    let name = unsafe Self.name(bytes, at: self.place)
                    return unsafe Self.isOwn(name) || body(name)
                }
                self.place += self.recordLength
                guard goesOn else { return }
            }
        }
    }

    private var recordLength: Int {
        Int(self.buffer[self.place + Self.lengthAt]) | Int(self.buffer[self.place + Self.lengthAt + 1]) << 8
    }

    /// False at the end.
    private mutating func fill() throws(SystemFailure) -> Bool {
        let raw = self.folder.raw
        let count = retried {
            unsafe self.buffer.withUnsafeMutableBytes { bytes in
                unsafe flotilla_read_folder(raw, bytes.baseAddress, bytes.count)
            }
        }
        guard count >= 0 else {
            let failure = SystemFailure.now("getdents64")
            if failure.code == ENOENT { return false }  // The folder was removed; nothing is in it.
            throw failure
        }
        self.place = 0
        self.end = Int(count)
        return count > 0
    }

    private static func name(_ bytes: UnsafeRawBufferPointer, at place: Int) -> UnsafeRawBufferPointer {
        let start = place + Self.nameAt
        var end = start
        while unsafe end < bytes.count && bytes[end] != 0 { end += 1 }
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    private static func isOwn(_ name: UnsafeRawBufferPointer) -> Bool {
        let dot = UInt8(ascii: ".")
        return unsafe name.count <= 2 && name.allSatisfy { $0 == dot }
    }
}
