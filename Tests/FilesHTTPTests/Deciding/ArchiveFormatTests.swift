import FilesHTTP
import NIOCore
import Testing

/// Records of ZIP archives that no test can send whole.
@Suite struct ArchiveFormatTests {
    @Test(arguments: [0, 1, 7, 8, 9, 64, 1_000])
    func `the checksum is that of the standard, however the bytes come`(cut: Int) {
        let bytes = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 5) }
        var whole = CRC32()
        whole.add(ByteBuffer(bytes: bytes))
        var parts = CRC32()
        parts.add(ByteBuffer(bytes: bytes[..<cut]))
        parts.add(ByteBuffer(bytes: bytes[cut...]))
        #expect(whole.value == parts.value)
        var check = CRC32()
        check.add(ByteBuffer(string: "123456789"))
        #expect(check.value == 0xCBF4_3926)
    }

    @Test func `a large file has 64-bit sizes at each place`() throws {
        var record = ZipRecord(name: Array("a".utf8), modified: 1_000_000_000, offset: 5 << 32)
        record.size = 6 << 32
        record.crc = 7
        record.isDescribed = true
        var header = ByteBuffer()
        record.writeHeader(to: &header)
        #expect(header.getInteger(at: 18, endianness: .little, as: UInt32.self) == .max)
        #expect(header.getInteger(at: 6, endianness: .little, as: UInt16.self) == 1 << 3 | 1 << 11)
        var descriptor = ByteBuffer()
        record.writeDescriptor(to: &descriptor)
        #expect(descriptor.readableBytes == 24)
        // In blocks of 65,535 bytes with five in front of each.
        let size: UInt64 = 6 << 32
        let packed = size + 5 * ((size + 65_534) / 65_535)
        #expect(descriptor.getInteger(at: 8, endianness: .little, as: UInt64.self) == packed)
        #expect(descriptor.getInteger(at: 16, endianness: .little, as: UInt64.self) == 6 << 32)
        var entry = ByteBuffer()
        record.writeDirectoryEntry(to: &entry)
        #expect(entry.getInteger(at: 42, endianness: .little, as: UInt32.self) == .max)
        // Behind the fixed part, the name and the time: both sizes, then the place.
        let extra = 46 + 1 + 9
        #expect(entry.getInteger(at: extra, endianness: .little, as: UInt16.self) == 1)
        #expect(entry.getInteger(at: extra + 4, endianness: .little, as: UInt64.self) == 6 << 32)
        #expect(entry.getInteger(at: extra + 20, endianness: .little, as: UInt64.self) == 5 << 32)
    }

    @Test func `the end is the short one as long as it can be`() {
        var short = ByteBuffer()
        ZipRecord.writeEnd(entries: 65_534, offset: 10, size: 20, to: &short)
        #expect(short.readableBytes == 22)
        for (entries, offset) in [(65_535, 10), (1, 1 << 32)] as [(UInt64, UInt64)] {
            var long = ByteBuffer()
            ZipRecord.writeEnd(entries: entries, offset: offset, size: 20, to: &long)
            #expect(long.readableBytes == 22 + 56 + 20)
            #expect(long.getInteger(at: 32, endianness: .little, as: UInt64.self) == entries)
            #expect(long.getInteger(at: 64, endianness: .little, as: UInt64.self) == offset + 20)
        }
    }
}
