import ClusterModel
import HTTPTypes

/// The target of a request taken apart: the path's components as bytes, and the query's items.
///
/// Nothing is normalised: `.` and `..`, empty components and every byte stay what they are. A slash inside a
/// component (as `%2F`) is refused, since it could not be told from one between components afterwards.
package struct RequestTarget: Sendable, Equatable {
    /// Decoded; the path `/` has none.
    package var components: [[UInt8]]
    /// Whether the path ends with a slash.
    package var endsWithSlash: Bool
    package var query: [QueryItem]

    package struct QueryItem: Sendable, Equatable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// - Parameter raw: The target as it was sent: a path that begins with a slash, perhaps with a query; or
    ///   `*`, which is the server as a whole and so the same as `/`.
    package init(_ raw: String) throws(Problem) {
        let raw = raw == "*" ? "/" : raw
        guard !raw.unicodeScalars.contains("\u{FFFD}") else {
            throw Problem(
                .badRequest, .malformedPath, "the target has bytes that are not UTF-8; percent-encode them")
        }
        guard !raw.utf8.contains(UInt8(ascii: "#")) else {
            throw Problem(.badRequest, .malformedPath, "the target has a “#”; percent-encode it as %23")
        }
        let halves = Array(raw.utf8).split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        let path = halves.first ?? []
        guard path.first == UInt8(ascii: "/") else {
            throw Problem(.badRequest, .malformedPath, "the target does not begin with a slash")
        }
        try self.init(path: path.dropFirst(), query: halves.count > 1 ? halves[1] : [])
    }

    /// - Parameter path: As it was sent, in ASCII and beginning with a slash; without a query.
    init(path: ArraySlice<UInt8>) throws(Problem) { try self.init(path: path.dropFirst(), query: []) }

    private init(path: ArraySlice<UInt8>, query: ArraySlice<UInt8>) throws(Problem) {
        self.endsWithSlash = path.isEmpty || path.last == UInt8(ascii: "/")
        self.components = []
        self.query = []
        let trimmed = path.last == UInt8(ascii: "/") ? path.dropLast() : path
        if !path.isEmpty {
            for part in trimmed.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
                self.components.append(try Self.component(part))
            }
        }
        for item in query.split(separator: UInt8(ascii: "&")) {
            self.query.append(try Self.item(item))
        }
    }

    private static func component(_ part: ArraySlice<UInt8>) throws(Problem) -> [UInt8] {
        guard let bytes = PercentCoding.decode(part) else {
            throw Problem(
                .badRequest, .malformedPath,
                "“\(String(decoding: part, as: UTF8.self))” has a percent sign without two hexadecimal digits"
            )
        }
        guard !bytes.contains(UInt8(ascii: "/")) else {
            throw Problem(
                .badRequest, .malformedPath,
                "“\(String(decoding: part, as: UTF8.self))” has an encoded slash (%2F); no name has one"
            )
        }
        return bytes
    }

    /// A plus sign is a plus sign, not a space.
    private static func item(_ item: ArraySlice<UInt8>) throws(Problem) -> QueryItem {
        let sides = item.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        let texts = sides.map { PercentCoding.decode($0).flatMap { String(validating: $0, as: UTF8.self) } }
        guard let name = texts[0], let value = texts.count > 1 ? texts[1] : "" else {
            throw Problem(
                .badRequest, .invalidParameter,
                "“\(String(decoding: item, as: UTF8.self))” in the query is not percent-encoded UTF-8"
            ).with("parameter", String(decoding: sides[0], as: UTF8.self))
        }
        return QueryItem(name: name, value: value)
    }
}

/// Percent-encoding of bytes (RFC 3986, 2.1).
package enum PercentCoding {
    /// Nil when a percent sign is not followed by two hexadecimal digits.
    package static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.contains(UInt8(ascii: "%")) else { return Array(text) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var iterator = text.makeIterator()
        while let byte = iterator.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = iterator.next(), let low = iterator.next(),
                let value = [UInt8](hex: String(decoding: [high, low], as: UTF8.self))?.first
            else { return nil }
            bytes.append(value)
        }
        return bytes
    }

    /// Whether a byte is never encoded: a letter, a digit or one of `-._~`.
    package static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Encodes everything but plain bytes.
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            if Self.isPlain(byte) {
                text.append(byte)
            } else {
                text.append(UInt8(ascii: "%"))
                text.append(contentsOf: [byte].hex.uppercased().utf8)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
