/// The name of a node: 1 to 63 of `a-z 0-9 . -`, beginning with a letter or a digit.
package struct NodeName: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    package let description: String

    /// Answers nil when the text is no name.
    package init?(_ text: String) {
        guard NameRules.isName(text, extra: [UInt8(ascii: "."), UInt8(ascii: "-")]) else { return nil }
        self.description = text
    }

    package static func < (left: NodeName, right: NodeName) -> Bool { left.description < right.description }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let name = NodeName(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "“\(text)” is no node name.")
        }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(self.description)
    }
}

/// What names of nodes and accounts have in common.
enum NameRules {
    static func isName(_ text: String, extra: Set<UInt8>) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), let first = bytes.first, Self.isAlphanumeric(first) else {
            return false
        }
        return bytes.allSatisfy { Self.isAlphanumeric($0) || extra.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
