import Foundation
import HTTPDoor

/// The file's name in a `Content-Disposition` (RFC 6266): `filename*` before `filename`.
enum FileNameHeader {
    /// Nil when it has none that can be read.
    static func name(_ text: String) -> [UInt8]? {
        let parameters = Self.parameters(text)
        if let extended = parameters["filename*"], let name = Self.decoded(extended) { return name }
        return parameters["filename"].map { Array($0.utf8) }
    }

    /// By their names in lowercase; quotes and what is escaped in them are resolved.
    private static func parameters(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for part in Self.parts(text).dropFirst() {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2 else { continue }
            let name = sides[0].filter { $0 != " " }.lowercased()
            if found[name] == nil { found[name] = Self.unquoted(sides[1]) }
        }
        return found
    }

    /// Separated by semicolons that stand outside quotes.
    private static func parts(_ text: String) -> [String] {
        var parts = [""]
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if character == ";", !isQuoted {
                parts.append("")
                continue
            }
            if character == "\"", !isEscaped { isQuoted.toggle() }
            isEscaped = character == "\\" && isQuoted && !isEscaped
            parts[parts.count - 1].append(character)
        }
        return parts
    }

    private static func unquoted(_ text: Substring) -> String {
        var rest = text.drop { $0 == " " }
        while rest.last == " " { rest.removeLast() }
        guard rest.count >= 2, rest.first == "\"", rest.last == "\"" else { return String(rest) }
        var value = ""
        var isEscaped = false
        for character in rest.dropFirst().dropLast() {
            if character == "\\", !isEscaped {
                isEscaped = true
                continue
            }
            value.append(character)
            isEscaped = false
        }
        return value
    }

    /// `UTF-8''percent-encoded`; other character sets are not read.
    private static func decoded(_ text: String) -> [UInt8]? {
        let sides = text.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard sides.count == 3, sides[0].lowercased() == "utf-8" else { return nil }
        return PercentCoding.decode(Array(sides[2].utf8))
    }
}
