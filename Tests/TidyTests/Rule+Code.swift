/// Rules about what code may say.
extension Rule {
    static let code: [Rule] = [
        Rule(
            "no loose tasks", "a task without an owner: use a group in run()",
            forbid: { #/\bTask\s*(?:<[^>]*>\s*)?(?:\{|\(|\.\s*(?:detached|immediate)\b)/# },
            where: { $0.isSource && $0.isSwift },
            caught: [
                source("func f() { Task { await g() } }"), source("Task.detached { }"),
                source("_ = Task(priority: .low) { }"),
                source("Task<Void, Never> { }"),
            ],
            fine: [
                source("try await Task.sleep(for: .seconds(1))"),
                source("await withTaskGroup(of: Void.self) { _ in }"),
                source("// a Task { } here would be loose"), source("let s = \"Task { }\""),
            ]),
        Rule(
            "no force", "crashes on nil or on an error: say what happens instead",
            forbid: { #/\b(?:try|as)!|[\w)\]}>"]!(?:[^=]|$)/# },
            where: { $0.isSwift },
            caught: [
                source("let x = y!"), source("y!.run()"), source("a[0]!.b = 1"), source("try! run()"),
                source("x as! Int"),
                source("f()! + 1"), source("var late: String!"), source("let u = URL(string: \"a\")!"),
            ],
            fine: [
                source("if a != b { }"), source("guard !a, !b.c else { }"), source("a!=b"),
                source("#expect(!x)"),
                source("let s = \"Hello!\""), source("[!a, !b]"), source("return !a"), source("// look!"),
                source("let s = \"\\(a[\"k\"] ?? \"none!\")!\""), source("let s = #\"a \"quoted!\" word\"#"),
            ]),
        Rule(
            "no words of no meaning in type names", "the name says nothing: what does it do?",
            forbid: {
                #/\b(?:class|struct|enum|actor|protocol|typealias)\s+\w*(?:Manager|Helpers?|Utils?|Utilities|Impl)\b/#
            },
            where: { $0.isSwift },
            caught: [
                source("final class LeaseManager {"), source("enum Utils {"),
                source("struct StoreImpl: Store {"),
            ],
            fine: [
                source("struct Managed {"), source("let manager = FileManager.default"),
                source("actor Implant {"),
            ]),
        Rule(
            "package, not public", "cross-module API of one package is package",
            forbid: { #/\bpublic\b/# }, where: { $0.isSource && $0.isSwift },
            caught: [source("public struct A {}"), source("public import Logging")],
            fine: [source("package struct A {}"), source("// public opinion")]),
        Rule(
            "print only in the program", "rooms log; only the executable speaks to a terminal",
            forbid: { #/(?:^|[^.\w])(?:debugPrint|print)\(/# },
            where: { $0.isSource && $0.isSwift && $0.room != "Flotilla" },
            caught: [source("print(\"x\")"), source("    debugPrint(x)")],
            fine: [source("fingerprint(x)"), source("terminal.print(x)"), source("\"print(x)\"")]),
        Rule(
            "tests sleep only in `eventually`", where: { $0.isTest && $0.isSwift },
            caught: [
                test("try await Task.sleep(for: .seconds(1))"), test("usleep(10)"),
                test("func eventually() {\n    poll()\n}\nfunc later() {\n    sleep(1)\n}\n"),
            ],
            fine: [
                test("let asleep = true"), test("// no sleep here"), test("query(\"SELECT pg_sleep(1)\")"),
                test(
                    "func eventually(_ c: () -> Bool) async {\n    while !c() {\n        usleep(10)\n    }\n}\n"
                ),
            ],
            check: { file in
                let polls = FunctionLengths.measure(file.code).filter { $0.name == "eventually" }
                return file.lines(matching: #/\b(?:sleep|usleep|nanosleep)\b/#).filter { line in
                    !polls.contains { $0.range.contains(line) }
                }.map {
                    Violation(path: file.path, line: $0, reason: "wait for a signal, or poll by `eventually`")
                }
            }),
        Rule(
            "deciding rooms only decide",
            "no clock, no lots, no waiting, no input or output here: take it as an input",
            forbid: {
                #/\b(?:async|await|Task|ContinuousClock|SuspendingClock|Date\(\)|Date\.now|SystemRandomNumberGenerator|randomElement|shuffled|Logger|FileManager|Glibc|getenv)(?!\w)/#
            },
            where: { $0.isSource && $0.isSwift && ["ClusterModel", "Coordinator"].contains($0.room) },
            caught: [
                source("let now = Date()", room: "Coordinator"),
                source("func f() async {", room: "ClusterModel"),
                source("x.randomElement()", room: "Coordinator"), source("import Glibc", room: "Coordinator"),
            ],
            fine: [
                source("let at: Date", room: "ClusterModel"),
                source("let now = Date()", room: "SharedMount"),
            ]),
    ]

    static func source(_ text: String, room: String = "FileService") -> SourceFile {
        SourceFile(path: "Sources/\(room)/Example.swift", text: text)
    }

    static func test(_ text: String) -> SourceFile {
        SourceFile(path: "Tests/FileServiceTests/Example.swift", text: text)
    }
}
