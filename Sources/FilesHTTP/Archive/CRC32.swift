package import NIOCore

/// The checksum of ZIP archives (CRC-32 of ISO 3309), eight bytes at a time.
package struct CRC32: Sendable {
    private var state: UInt32 = .max

    package init() {}

    package mutating func add(_ bytes: ByteBuffer) {
        let state = self.state
        self.state = bytes.withUnsafeReadableBytes { bytes in
            Self.tables.withUnsafeBufferPointer { tables in Self.update(state, bytes, tables) }
        }
    }

    package var value: UInt32 { ~self.state }

    private static func update(
        _ state: UInt32, _ bytes: UnsafeRawBufferPointer, _ tables: UnsafeBufferPointer<UInt32>
    ) -> UInt32 {
        var state = state
        var place = 0
        while place + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            let low = UInt32(truncatingIfNeeded: word) ^ state
            let high = UInt32(truncatingIfNeeded: word >> 32)
            let first =
                tables[1_792 + Int(low & 255)] ^ tables[1_536 + Int(low >> 8 & 255)]
                ^ tables[1_280 + Int(low >> 16 & 255)] ^ tables[1_024 + Int(low >> 24)]
            let second =
                tables[768 + Int(high & 255)] ^ tables[512 + Int(high >> 8 & 255)]
                ^ tables[256 + Int(high >> 16 & 255)] ^ tables[Int(high >> 24)]
            state = first ^ second
            place += 8
        }
        while place < bytes.count {
            state = state >> 8 ^ tables[Int((state ^ UInt32(bytes[place])) & 255)]
            place += 1
        }
        return state
    }

    /// Eight tables of 256: what a byte does to the checksum when that many bytes follow it.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
            tables[byte] = value
        }
        for table in 1..<8 {
            for byte in 0..<256 {
                let before = tables[(table - 1) * 256 + byte]
                tables[table * 256 + byte] = before >> 8 ^ tables[Int(before & 255)]
            }
        }
        return tables
    }()
}
