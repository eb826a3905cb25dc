import Foundation

/// A text file of the repository, with its path from the root.
struct SourceFile: Sendable {
    let path: String
    let text: String
    /// The text with the contents of comments and string literals blanked out; lines stay where they are.
    let code: String

    init(path: String, text: String) {
        self.path = path
        self.text = text
        self.code = path.hasSuffix(".swift") ? SwiftText.blanked(text) : text
    }

    /// The folder below Sources or Tests, or nil.
    var room: String? {
        let parts = self.path.split(separator: "/")
        guard parts.count > 2, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    var isSwift: Bool { self.path.hasSuffix(".swift") }
    var isSource: Bool { self.path.hasPrefix("Sources/") }
    var isTest: Bool { self.path.hasPrefix("Tests/") }
    var name: String { String(self.path.split(separator: "/").last ?? "") }

    /// The lines of `code` (or of `text`) that match, each with its number from 1.
    func lines(of part: KeyPath<SourceFile, String> = \.code, matching pattern: Regex<Substring>) -> [Int] {
        // Simple: else `Task.sleep` is one word to the regex.
        let pattern = pattern.wordBoundaryKind(.simple)
        return self[keyPath: part].split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .filter { $0.element.contains(pattern) }
            .map { $0.offset + 1 }
    }
}

/// One place where a rule is broken.
struct Violation: Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let reason: String

    var description: String { "\(self.path):\(self.line): \(self.reason)" }
}
