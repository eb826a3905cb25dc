import Foundation
import HTTPDoor
package import NIOCore

/// One entry of a ZIP archive and its records, as PKWARE's APPNOTE 6.3 has them; never compressed.
///
/// What is described behind its content is no "stored" entry: who reads an archive as a stream could not find its end, and
/// many refuse it (`java.util.zip.ZipInputStream` among them). It is "deflated" into blocks of stored bytes
/// (RFC 1951, 3.2.4), whose last one says that it is.
package struct ZipRecord: Sendable, Equatable {
    /// With a slash at the end for a folder.
    package var name: [UInt8]
    /// Of its content, in seconds since 1970.
    package var modified: Int64
    /// Where its local header begins.
    package var offset: UInt64
    package var size: UInt64 = 0
    /// Of the content; for a large file only known behind it.
    package var crc: UInt32 = 0
    /// The checksum stands behind the content, and not in front of it.
    package var isDescribed = false

    package init(name: [UInt8], modified: Int64, offset: UInt64) {
        self.name = name
        self.modified = modified
        self.offset = offset
    }

    static let limit32 = UInt64(UInt32.max)
    private static let limit16 = UInt64(UInt16.max)

    private var isFolder: Bool { self.name.last == UInt8(ascii: "/") }
    /// Its size needs more than 32 bits.
    private var isHuge: Bool { self.packed >= Self.limit32 }
    /// The content with what stands before each block.
    private var packed: UInt64 {
        guard self.isDescribed else { return self.size }
        let blocks = (self.size + UInt64(Self.blockMax) - 1) / UInt64(Self.blockMax)
        return self.size + 5 * blocks
    }
    private var method: UInt16 { self.isDescribed ? 8 : 0 }

    /// Of each block but the last one, in bytes of the content.
    package static let blockMax = Int(UInt16.max)

    /// In front of so many bytes of the content.
    package static func writeBlock(_ count: Int, isLast: Bool, to buffer: inout ByteBuffer) {
        let count = UInt16(count)
        buffer.writeZip(UInt8(isLast ? 1 : 0), count, ~count)
    }

    /// Bit 3: described behind; bit 11: the name is UTF-8.
    private var flags: UInt16 {
        (self.isDescribed ? 1 << 3 : 0) | (String(validating: self.name, as: UTF8.self) == nil ? 0 : 1 << 11)
    }

    /// In front of the content.
    package func writeHeader(to buffer: inout ByteBuffer) {
        var extra = self.time
        if self.isHuge {
            extra.writeZip(UInt16(1), UInt16(16))
            let size = self.isDescribed ? 0 : self.size
            extra.writeZip(size, size)
        }
        let size32 = self.isHuge ? UInt32.max : self.isDescribed ? 0 : UInt32(self.size)
        buffer.writeZip(UInt32(0x0403_4B50), UInt16(self.isHuge ? 45 : 20), self.flags, self.method)
        buffer.writeZip(self.dosTime.time, self.dosTime.date)
        buffer.writeZip(self.isDescribed ? 0 : self.crc, size32, size32)
        buffer.writeZip(UInt16(self.name.count), UInt16(extra.readableBytes))
        buffer.writeBytes(self.name)
        buffer.writeImmutableBuffer(extra)
    }

    /// Behind the content, if it is described there.
    package func writeDescriptor(to buffer: inout ByteBuffer) {
        guard self.isDescribed else { return }
        buffer.writeZip(UInt32(0x0807_4B50), self.crc)
        if self.isHuge {
            buffer.writeZip(self.packed, self.size)
        } else {
            buffer.writeZip(UInt32(self.packed), UInt32(self.size))
        }
    }

    /// In the directory at the end of the archive.
    package func writeDirectoryEntry(to buffer: inout ByteBuffer) {
        var extra = self.time
        var large = ByteBuffer()
        if self.isHuge { large.writeZip(self.size, self.packed) }
        if self.offset >= Self.limit32 { large.writeZip(self.offset) }
        if large.readableBytes > 0 {
            extra.writeZip(UInt16(1), UInt16(large.readableBytes))
            extra.writeImmutableBuffer(large)
        }
        let needed = UInt16(large.readableBytes > 0 ? 45 : 20)
        let (packed32, size32) = self.isHuge ? (.max, .max) : (UInt32(self.packed), UInt32(self.size))
        // Made by 4.5 of the format on UNIX, so that the rights mean something.
        buffer.writeZip(UInt32(0x0201_4B50), UInt16(3 << 8 | 45), needed, self.flags, self.method)
        buffer.writeZip(self.dosTime.time, self.dosTime.date)
        buffer.writeZip(self.crc, packed32, size32)
        buffer.writeZip(UInt16(self.name.count), UInt16(extra.readableBytes), UInt16(0), UInt16(0), UInt16(0))
        let rights: UInt32 = self.isFolder ? 0o40755 << 16 | 0x10 : 0o100644 << 16
        buffer.writeZip(rights, UInt32(min(self.offset, Self.limit32)))
        buffer.writeBytes(self.name)
        buffer.writeImmutableBuffer(extra)
    }

    /// Behind the directory.
    ///
    /// - Parameters:
    ///   - offset: where the directory begins.
    ///   - size: of the directory, in bytes.
    package static func writeEnd(
        entries: UInt64, offset: UInt64, size: UInt64, to buffer: inout ByteBuffer
    ) {
        if entries >= Self.limit16 || offset >= Self.limit32 || size >= Self.limit32 {
            buffer.writeZip(UInt32(0x0606_4B50), UInt64(44), UInt16(3 << 8 | 45), UInt16(45))
            buffer.writeZip(UInt32(0), UInt32(0), entries, entries, size, offset)
            buffer.writeZip(UInt32(0x0706_4B50), UInt32(0), offset + size, UInt32(1))
        }
        let count = UInt16(min(entries, Self.limit16))
        buffer.writeZip(UInt32(0x0605_4B50), UInt16(0), UInt16(0), count, count)
        buffer.writeZip(UInt32(min(size, Self.limit32)), UInt32(min(offset, Self.limit32)), UInt16(0))
    }

    // MARK: - Time

    /// The time in UTC as an extra field; programs that do not know it take the other one.
    private var time: ByteBuffer {
        var buffer = ByteBuffer()
        guard let seconds = Int32(exactly: self.modified) else { return buffer }
        buffer.writeZip(UInt16(0x5455), UInt16(5), UInt8(1), seconds)
        return buffer
    }

    /// From 1980 to 2107, in steps of two seconds.
    private var dosTime: (date: UInt16, time: UInt16) {
        let date = HTTPDate.parts(seconds: min(max(self.modified, 315_532_800), 4_354_819_198))
        return (
            UInt16((date.year - 1980) << 9 | date.month << 5 | date.day),
            UInt16(date.hour << 11 | date.minute << 5 | date.second / 2)
        )
    }
}

extension ByteBuffer {
    /// Numbers in the order of bytes that ZIP has.
    mutating func writeZip<each Number: FixedWidthInteger>(_ numbers: repeat each Number) {
        _ = (repeat self.writeInteger(each numbers, endianness: .little))
    }
}
