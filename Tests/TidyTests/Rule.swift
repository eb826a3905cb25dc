import Testing

/// One rule of the house about a single file, with examples that prove that it bites.
struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    let applies: @Sendable (SourceFile) -> Bool
    let check: @Sendable (SourceFile) -> [Violation]
    /// Files that break the rule, each once.
    let caught: [SourceFile]
    /// Files that look alike and keep it.
    let fine: [SourceFile]

    var testDescription: String { self.name }

    /// A rule that no line of a file may match `pattern`.
    ///
    /// - part: `\.code` sees no comments and no strings, `\.text` sees all.
    init(
        _ name: String, _ reason: String, in part: any KeyPath<SourceFile, String> & Sendable = \.code,
        forbid pattern: @escaping @Sendable () -> Regex<Substring>,
        where applies: @escaping @Sendable (SourceFile) -> Bool, caught: [SourceFile], fine: [SourceFile]
    ) {
        self.init(name, where: applies, caught: caught, fine: fine) { file in
            file.lines(of: part, matching: pattern()).map {
                Violation(path: file.path, line: $0, reason: reason)
            }
        }
    }

    init(
        _ name: String, where applies: @escaping @Sendable (SourceFile) -> Bool, caught: [SourceFile],
        fine: [SourceFile], check: @escaping @Sendable (SourceFile) -> [Violation]
    ) {
        self.name = name
        self.applies = applies
        self.check = check
        self.caught = caught
        self.fine = fine
    }

    func violations(in file: SourceFile) -> [Violation] {
        self.applies(file) ? self.check(file) : []
    }
}
