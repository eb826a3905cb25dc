/// A `numeric` as its decimal text, exact and with its scale: `1.50` is not `1.5`.
package struct PostgresNumeric: Sendable, Hashable {
    package static let notANumber = PostgresNumeric(canonical: "NaN")
    package static let infinity = PostgresNumeric(canonical: "Infinity")
    package static let minusInfinity = PostgresNumeric(canonical: "-Infinity")
    /// The server's own bounds: digits before and after the point.
    private static let wholeMax = 131_072
    private static let scaleMax = 16_383

    /// As the server writes it: no needless zeros before, all zeros of the scale after the point.
    package let text: String

    private init(canonical text: String) { self.text = text }

    package init(_ integer: some BinaryInteger) { self.text = "\(integer)" }

    /// Digits with an optional sign and an optional point; or `NaN`, `Infinity`, `-Infinity`.
    ///
    /// - Returns: nil for anything else, and for more digits than the server takes.
    package init?(_ text: String) {
        if let special = Self.special[text] {
            self = special
            return
        }
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let whole = rest.prefix { $0 != UInt8(ascii: ".") }
        let hasPoint = whole.endIndex < rest.endIndex
        let fraction = hasPoint ? rest[whole.endIndex...].dropFirst() : rest[whole.endIndex...]
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard whole.count + fraction.count > 0, whole.count <= Self.wholeMax, fraction.count <= Self.scaleMax,
            whole.allSatisfy(digits.contains), fraction.allSatisfy(digits.contains)
        else { return nil }
        let significant = whole.drop { $0 == UInt8(ascii: "0") }
        let isZero = significant.isEmpty && fraction.allSatisfy { $0 == UInt8(ascii: "0") }
        self.text =
            (isNegative && !isZero ? "-" : "")
            + (significant.isEmpty ? "0" : String(Substring(significant)))
            + (fraction.isEmpty ? "" : "." + String(Substring(fraction)))
    }

    private static let special: [String: PostgresNumeric] = [
        "NaN": .notANumber, "Infinity": .infinity, "-Infinity": .minusInfinity,
    ]
}

extension PostgresNumeric: CustomStringConvertible {
    package var description: String { self.text }
}

/// Binary form: groups of four decimal digits, the place of the first group, sign, and digits after the point.
extension PostgresNumeric: PostgresScalar {
    package static var postgresType: PostgresType { .numeric }
    package static var postgresArrayType: PostgresType { .numericArray }

    private enum Sign {
        static let plus: UInt16 = 0x0000
        static let minus: UInt16 = 0x4000
        static let notANumber: UInt16 = 0xC000
        static let infinity: UInt16 = 0xD000
        static let minusInfinity: UInt16 = 0xF000
    }

    package func encode(into writer: inout PostgresWriter) {
        switch self {
        case .notANumber: return Self.encode([], weight: 0, sign: Sign.notANumber, scale: 0, into: &writer)
        case .infinity: return Self.encode([], weight: 0, sign: Sign.infinity, scale: 0, into: &writer)
        case .minusInfinity:
            return Self.encode([], weight: 0, sign: Sign.minusInfinity, scale: 0, into: &writer)
        default: break
        }
        let isNegative = self.text.utf8.first == UInt8(ascii: "-")
        let parts = self.text.utf8.dropFirst(isNegative ? 1 : 0).split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let whole = Array(parts[0])
        let fraction = parts.count > 1 ? Array(parts[1]) : []
        let zero = UInt8(ascii: "0")
        let head = [UInt8](repeating: zero, count: (4 - whole.count % 4) % 4)
        let tail = [UInt8](repeating: zero, count: (4 - fraction.count % 4) % 4)
        let digits = head + whole + fraction + tail
        var groups = stride(from: 0, to: digits.count, by: 4).map { start in
            digits[start..<start + 4].reduce(Int16(0)) { $0 * 10 + Int16($1 - zero) }
        }[...]
        var weight = (head.count + whole.count) / 4 - 1
        while groups.first == 0 {
            groups.removeFirst()
            weight -= 1
        }
        while groups.last == 0 { groups.removeLast() }
        Self.encode(
            groups, weight: groups.isEmpty ? 0 : weight, sign: isNegative ? Sign.minus : Sign.plus,
            scale: fraction.count, into: &writer)
    }

    private static func encode(
        _ groups: ArraySlice<Int16>, weight: Int, sign: UInt16, scale: Int, into writer: inout PostgresWriter
    ) {
        writer.write(Int16(truncatingIfNeeded: groups.count))
        writer.write(Int16(truncatingIfNeeded: weight))
        writer.write(sign)
        writer.write(Int16(truncatingIfNeeded: scale))
        for group in groups { writer.write(group) }
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> PostgresNumeric {
        guard cell.type == .numeric else { throw .type(cell.type, wanted: PostgresNumeric.self) }
        var reader = try PostgresCellReader(cell)
        let count = Int(try reader.integer(as: UInt16.self))
        let weight = Int(try reader.integer(as: Int16.self))
        let sign = try reader.integer(as: UInt16.self)
        let scale = Int(try reader.integer(as: UInt16.self))
        switch sign {
        case Sign.notANumber: return .notANumber
        case Sign.infinity: return .infinity
        case Sign.minusInfinity: return .minusInfinity
        case Sign.plus, Sign.minus: break
        default: throw PostgresCellFault("its sign is unknown")
        }
        var groups: [Int16] = []
        for _ in 0..<count { groups.append(try reader.integer(as: Int16.self)) }
        guard groups.allSatisfy({ (0..<10_000).contains($0) }) else {
            throw PostgresCellFault("it has a group of more than four digits")
        }
        func digits(_ place: Int) -> String {
            let group = groups.indices.contains(place) ? groups[place] : 0
            let text = "\(group)"
            return String(repeating: "0", count: 4 - text.utf8.count) + text
        }
        let whole = weight < 0 ? "0" : (0...weight).map(digits).joined()
        let places = (scale + 3) / 4
        let fraction = (0..<places).map { digits(weight + 1 + $0) }.joined().prefix(scale)
        let text = (sign == Sign.minus ? "-" : "") + whole + (scale > 0 ? "." + fraction : "")
        guard let number = PostgresNumeric(text) else { throw PostgresCellFault("it is no number") }
        return number
    }
}
