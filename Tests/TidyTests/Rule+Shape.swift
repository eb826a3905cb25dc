/// Rules about the size of things, and about words that may stand nowhere.
extension Rule {
    static let fileLinesMax = 400
    static let functionLinesMax = 60

    static let shape: [Rule] = [
        Rule(
            "files of at most 400 lines",
            where: { file in
                file.isSource
                    && [".swift", ".c", ".h", ".sql", ".js", ".css", ".html"].contains(
                        where: file.path.hasSuffix)
            },
            caught: [source(String(repeating: "let a = 1\n", count: 401))],
            fine: [source(String(repeating: "let a = 1\n", count: 400))],
            check: { file in
                let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).count
                let count = file.text.hasSuffix("\n") ? lines - 1 : lines
                guard count > Self.fileLinesMax else { return [] }
                return [
                    Violation(
                        path: file.path, line: count, reason: "\(count) lines: two things are mixed here")
                ]
            }),
        Rule(
            "functions of at most 60 lines", where: { $0.isSource && $0.isSwift },
            caught: [
                source("func f() {\n" + String(repeating: "    g()\n", count: 61) + "}\n"),
                source("init(a: Int) throws {\n" + String(repeating: "    g()\n", count: 61) + "}\n"),
            ],
            fine: [
                source("func f() {\n" + String(repeating: "    g()\n", count: 58) + "}\n"),
                source(
                    "protocol P {\n    func f()\n}\nstruct S {\n"
                        + String(repeating: "    let a = 1\n", count: 80) + "}\n"),
            ],
            check: { file in
                FunctionLengths.measure(file.code).filter { $0.lines > Self.functionLinesMax }.map {
                    Violation(
                        path: file.path, line: $0.range.lowerBound, reason: "a function of \($0.lines) lines")
                }
            }),
        Rule(
            "promises carry a number", "say which issue it belongs to, or do it", in: \.text,
            forbid: { #/\b(?:TODO|FIXME)\b(?!\s*\(?#\d+)/# },
            where: { !$0.path.hasPrefix("docs/") },
            caught: [source("// TODO: later"), source("// FIXME this")],
            fine: [source("// TODO(#12): later"), source("// FIXME #7"), source("// a todo list")]),
        Rule(
            "no path of somebody's machine", "means nothing on another machine", in: \.text,
            forbid: { #/\/(?:home|Users)\/[a-z]+\/(?:src|work|projects?)\b/# },
            where: { _ in true },
            caught: [source("// see /home/ann/src/x"), source("let p = \"/Users/ben/projects/x\"")],
            fine: [source("let p = \"/tmp/flotilla\""), source("// at home/ann")]),
        Rule(
            "no stand-ins", where: { $0.isSource || $0.isTest },
            caught: [SourceFile(path: "Sources/FileService/Placeholder.swift", text: "// nothing yet\n")],
            fine: [source("let placeholder = 1")],
            check: { file in
                guard file.name.lowercased().hasPrefix("placeholder") else { return [] }
                return [
                    Violation(
                        path: file.path, line: 1, reason: "a room gets its folder with its first real file")
                ]
            }),
        Rule(
            "migrations are named V0001_what.sql", where: { $0.path.contains("/Migrations/") },
            caught: [
                SourceFile(path: "Sources/PostgresStore/Migrations/0002_more.sql", text: ""),
                SourceFile(path: "Sources/PostgresStore/Migrations/V2_more.sql", text: ""),
            ],
            fine: [SourceFile(path: "Sources/PostgresStore/Migrations/V0002_more.sql", text: "")],
            check: { file in
                guard file.name.wholeMatch(of: #/V\d{4}_[a-z0-9_]+\.sql/#) == nil else { return [] }
                return [
                    Violation(
                        path: file.path, line: 1, reason: "not V, four digits, _, a name in lower case, .sql")
                ]
            }),
    ]
}

/// Measures functions by their braces, in text that has no comments and no strings left.
enum FunctionLengths {
    struct Measured: Equatable {
        let name: String
        /// Line numbers from 1, from the declaration to the closing brace.
        let range: ClosedRange<Int>
        var lines: Int { self.range.count }
    }

    static func measure(_ code: String) -> [Measured] {
        let lines = code.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.compactMap { index in
            guard let found = lines[index].firstMatch(of: #/\b(?:func\s+(\w+)|init[?(<])/#) else {
                return nil
            }
            guard let end = self.end(of: index, in: lines) else { return nil }
            return Measured(name: String(found.output.1 ?? "init"), range: index + 1...end + 1)
        }
    }

    /// The line on which the body that begins at or after `start` is closed; nil for a declaration without a body.
    private static func end(of start: Int, in lines: [Substring]) -> Int? {
        var depth = 0
        var opened = false
        for index in start..<lines.endIndex {
            if index > start, !opened, lines[index].contains(#/\b(?:func\s|init[?(<]|var\s|case\s)/#) {
                return nil
            }
            for character in lines[index] {
                if character == "{" {
                    depth += 1
                    opened = true
                }
                if character == "}" { depth -= 1 }
                if depth < 0 { return nil }
                if opened, depth == 0 { return index }
            }
        }
        return nil
    }
}
