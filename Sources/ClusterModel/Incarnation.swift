/// The number a node gets at each start: cluster-wide, rising, never issued twice.
///
/// It fences the node.
///
/// The upper bits hold the database's timeline, so that a sequence that went back with a failover or a
/// restore cannot issue a number again: every promotion starts a new timeline.
package struct Incarnation: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// As stored: timeline · 2^40 + sequence.
    ///
    /// Always positive.
    package let rawValue: Int64

    package static let sequenceBits: Int64 = 40

    /// Answers nil for numbers that no database of ours issues.
    package init?(rawValue: Int64) {
        guard rawValue > 0 else { return nil }
        self.rawValue = rawValue
    }

    package var timeline: Int64 { self.rawValue >> Self.sequenceBits }
    package var sequence: Int64 { self.rawValue & ((1 << Self.sequenceBits) - 1) }

    package static func < (left: Incarnation, right: Incarnation) -> Bool { left.rawValue < right.rawValue }
    package var description: String { "\(self.rawValue)" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let rawValue = try container.decode(Int64.self)
        guard let value = Incarnation(rawValue: rawValue) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "\(rawValue) is no incarnation: it must be positive.")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.rawValue)
    }
}
