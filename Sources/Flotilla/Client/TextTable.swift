/// Rows of texts with aligned columns.
struct TextTable {
    let titles: [String]
    var rows: [[String]] = []

    init(_ titles: String...) { self.titles = titles }

    mutating func add(_ row: String...) { self.rows.append(row) }

    /// Control characters are shown as U+FFFD: names come from anybody, and a terminal obeys them.
    var text: String {
        let lines = ([self.titles] + self.rows).map { $0.map(Self.harmless) }
        let widths = self.titles.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            let cells = zip(line, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            var text = cells.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }.joined(separator: "\n")
    }

    private static func harmless(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? "\u{FFFD}" : $0 }))
    }
}
