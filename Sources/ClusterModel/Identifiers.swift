package import struct Foundation.UUID

extension UUID {
    /// A version 7 identifier (RFC 9562, 5.7): sorted by time, the rest random.
    ///
    /// - Parameters:
    ///   - milliseconds: since 1970; the lower 48 bits count.
    ///   - random: 74 bits of it are used.
    package static func version7(milliseconds: UInt64, random: (UInt64, UInt64)) -> UUID {
        func byte(_ value: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        return UUID(
            uuid: (
                byte(milliseconds, 40), byte(milliseconds, 32), byte(milliseconds, 24),
                byte(milliseconds, 16),
                byte(milliseconds, 8), byte(milliseconds, 0),
                0x70 | (byte(random.0, 8) & 0x0F), byte(random.0, 0),
                0x80 | (byte(random.1, 56) & 0x3F), byte(random.1, 48), byte(random.1, 40),
                byte(random.1, 32),
                byte(random.1, 24), byte(random.1, 16), byte(random.1, 8), byte(random.1, 0)
            ))
    }
}
