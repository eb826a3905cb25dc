/// A range of a file's bytes as a `Range` header asks for it.
package enum ByteRange: Sendable, Equatable {
    case from(Int64, through: Int64?)
    case last(Int64)

    package enum Parsed: Sendable, Equatable {
        /// No range, too many, or another unit: the whole file is the answer.
        case whole
        case one(ByteRange)
        /// Two to ``ByteRange/severalMax``.
        case several([ByteRange])
        /// Not what RFC 9110, 14.1.2 allows.
        case malformed
    }

    /// Who asks for more is better served with the whole file (RFC 9110, 14.2, and 17.15 on attacks).
    package static let severalMax = 32

    package static func parse(_ header: String?) -> Parsed {
        guard let header else { return .whole }
        let sides = header.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else { return .malformed }
        // A unit that a server does not know is to be ignored.
        guard Self.trimmed(sides[0]).lowercased() == "bytes" else { return .whole }
        let ranges = sides[1].split(separator: ",", omittingEmptySubsequences: false).map {
            Self.range(Self.trimmed($0))
        }
        guard !ranges.contains(nil) else { return .malformed }
        let found = ranges.compactMap(\.self)
        guard found.count > 1 else { return found.first.map(Parsed.one) ?? .malformed }
        return found.count <= Self.severalMax ? .several(found) : .whole
    }

    private static func range(_ text: String) -> ByteRange? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return nil }
        let first = Self.number(ends[0])
        let last = Self.number(ends[1])
        if ends[0].isEmpty { return last.map(ByteRange.last) }
        guard let first else { return nil }
        if ends[1].isEmpty { return .from(first, through: nil) }
        guard let last, last >= first else { return nil }
        return .from(first, through: last)
    }

    /// Digits only; a number too large for a file stands for the largest one.
    private static func number(_ digits: Substring) -> Int64? {
        guard !digits.isEmpty,
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else {
            return nil
        }
        return Int64(digits) ?? .max
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }

    /// The bytes of a file of `size` bytes that are asked for; nil when there are none.
    package func resolved(size: Int64) -> Range<Int64>? {
        switch self {
        case .from(let first, let last):
            guard first < size else { return nil }
            guard let last, last < size - 1 else { return first..<size }
            return first..<(last + 1)
        case .last(let count):
            guard count > 0, size > 0 else { return nil }
            return max(0, size - count)..<size
        }
    }
}
