import Foundation
import Testing

/// The rules of this repository, kept by every file in it.
@Suite struct TidyTests {
    /// The rules' own examples break the rules; they live in this folder only.
    static let ownFolder = "Tests/TidyTests/"
    static let rules = Rule.code + Rule.shape + [Rooms.rule]

    @Test(arguments: Self.rules) func `every file keeps the rule`(_ rule: Rule) {
        let found = Repository.files.filter { !$0.path.hasPrefix(Self.ownFolder) }.flatMap(rule.violations)
        let places = Dictionary(grouping: found, by: \.path)
        let excused = Exception.all.filter { $0.rule == rule.name }
        for (path, violations) in places.sorted(by: { $0.key < $1.key }) {
            let allowed = excused.filter { $0.path == path }.map(\.count).reduce(0, +)
            let list = violations.map(\.description).joined(separator: "\n")
            #expect(violations.count <= allowed, "\(rule.name): \(allowed) allowed\n\(list)")
        }
    }

    @Test(arguments: Self.rules) func `the rule catches each of its bad examples, and only those`(
        _ rule: Rule
    ) {
        #expect(!rule.caught.isEmpty && !rule.fine.isEmpty)
        for example in rule.caught {
            #expect(!rule.violations(in: example).isEmpty, "not caught: \(example.text.prefix(80))")
        }
        for example in rule.fine {
            #expect(rule.violations(in: example).isEmpty, "caught for nothing: \(example.text.prefix(80))")
        }
    }

    @Test func `the list of exceptions only shrinks`() {
        for exception in Exception.all {
            let rule = Self.rules.first { $0.name == exception.rule }
            let file = Repository.files.first { $0.path == exception.path }
            let count = file.flatMap { rule?.violations(in: $0).count } ?? 0
            #expect(!exception.reason.isEmpty)
            #expect(
                count == exception.count,
                "\(exception.path) breaks '\(exception.rule)' \(count) times: lower the count, or remove the line"
            )
        }
    }

    @Test func `the repository was found`() {
        #expect(Repository.swift.count > 20)
        #expect(Repository.files.contains { $0.path == "Package.swift" })
    }
}

/// Rules about the rooms as a whole.
@Suite struct RoomTests {
    @Test func `the table of imports names exactly the rooms that there are`() {
        #expect(Set(Rooms.imports.keys) == Set(Repository.rooms))
    }

    @Test func `the table of imports has no circle and names only rooms`() {
        var settled: Set<String> = []
        var progress = true
        while progress {
            let next = Rooms.imports.filter { !settled.contains($0.key) && $0.value.isSubset(of: settled) }
                .map(\.key)
            progress = !next.isEmpty
            settled.formUnion(next)
        }
        #expect(
            settled == Set(Rooms.imports.keys),
            "in or behind a circle: \(Set(Rooms.imports.keys).subtracting(settled))")
    }

    @Test(arguments: Repository.rooms) func `no room is empty or a stub`(_ room: String) {
        let files = Repository.files.filter { $0.isSource && $0.room == room }
        #expect(Self.isFurnished(files), "Sources/\(room) has next to no code")
    }

    @Test func `an empty room is noticed`() {
        #expect(!Self.isFurnished([]))
        #expect(!Self.isFurnished([Rule.source("// nothing yet\n")]))
        #expect(!Self.isFurnished([Rule.source("/// A type.\nstruct A {}\n")]))
    }

    @Test func `migrations count from one without a gap`() {
        let numbers = Repository.files.filter { $0.path.contains("/Migrations/") }.compactMap { file in
            file.name.prefixMatch(of: #/V(\d{4})_/#).flatMap { Int($0.output.1) }
        }
        #expect(Self.isGapless(numbers), "\(numbers)")
        #expect(!Self.isGapless([1, 3]))
        #expect(!Self.isGapless([1, 2, 2]))
        #expect(!Self.isGapless([]))
    }

    /// A module map is all that a system library is made of; elsewhere twenty lines of code are the least.
    private static func isFurnished(_ files: [SourceFile]) -> Bool {
        if files.contains(where: { $0.name == "module.modulemap" }) { return true }
        let lines = files.filter { $0.isSwift || $0.path.hasSuffix(".c") }.map { file in
            file.code.split(separator: "\n").filter { $0.contains(#/\w/#) }.count
        }
        return lines.reduce(0, +) >= 20
    }

    private static func isGapless(_ numbers: [Int]) -> Bool {
        !numbers.isEmpty && numbers.sorted() == Array(1...numbers.count)
    }
}

/// The scanner that all rules about code rely on.
@Suite struct SwiftTextTests {
    @Test(arguments: [
        ("a // b", "a     "),
        ("a /* b /* c */ d */ e", "a                   e"),
        ("f(\"b\\\"c\") + d", "f(\"    \") + d"),
        ("\"\\(f(\"x\")) y\" z", "\"           \" z"),
        ("#\"a\"b\"# c", " \"   \"  c"),
        ("\"\"\"\nx!\n\"\"\"\ny", "\"\"\"\n  \n\"\"\"\ny"),
    ])
    func `comments and strings are blanked and code is not`(_ text: String, _ expected: String) {
        #expect(SwiftText.blanked(text) == expected)
    }
}
