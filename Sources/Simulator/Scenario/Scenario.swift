/// A run that a script describes: what goes wrong when, and what must follow within which time.
///
/// One sentence a line; `#` begins a comment:
///
///     nodes 3
///     at 8s pause node-2 for 10s
///     expect node-2 dead within 6s
///     expect node-2 living within 12s
///
/// Times of expectations count from the last `at`. Kinds of faults have the names of ``FaultKind``; what they need is
/// a node, a length (`for 10s`), or an amount (`by -60s`). `kill` leaves the node down unless it says `for`.
package struct Scenario: Sendable {
    package enum Wish: Sendable, Equatable {
        /// The incarnation that the node had is dead.
        case dead(String)
        /// The node is a member.
        case living(String)
        /// A live incarnation leads.
        case leader
        /// Nobody died meanwhile; looked at when the time is over.
        case nobodyDead
    }

    struct Expectation: Sendable {
        var wish: Wish
        var from: Int64
        var within: Int64
        var line: Int
    }

    package private(set) var nodes = 3
    var faults: [Fault] = []
    var expectations: [Expectation] = []
    package let name: String

    /// Why a script cannot be read.
    package struct Unreadable: Error, Equatable, CustomStringConvertible {
        package var line: Int
        package var reason: String
        package var description: String { "line \(self.line): \(self.reason)" }
    }

    package init(name: String, script: String) throws(Unreadable) {
        self.name = name
        var at: Int64 = 0
        for (index, text) in script.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let sentence = text.prefix { $0 != "#" }
            let words = sentence.split(separator: " ").map(String.init)
            guard let verb = words.first else { continue }
            var reader = SentenceReader(words: Array(words.dropFirst()), line: index + 1)
            switch verb {
            case "nodes": self.nodes = try reader.number(1...50)
            case "at":
                at = try reader.length()
                self.faults.append(try reader.fault(at: at, nodes: self.nodes))
            case "expect":
                let wish = try reader.wish(nodes: self.nodes)
                try reader.skip("within")
                self.expectations.append(
                    Expectation(wish: wish, from: at, within: try reader.length(), line: index + 1))
            default: throw Unreadable(line: index + 1, reason: "“\(verb)” is neither nodes, at nor expect")
            }
            try reader.end()
        }
    }

    var endsAt: Int64 { (self.expectations.map { $0.from + $0.within } + self.faults.map(\.at)).max() ?? 0 }
}

/// Reads one sentence of a script.
struct SentenceReader {
    private var words: [String]
    private let line: Int

    init(words: [String], line: Int) {
        self.words = words
        self.line = line
    }

    private func unreadable(_ reason: String) -> Scenario.Unreadable {
        Scenario.Unreadable(line: self.line, reason: reason)
    }

    private mutating func word(_ what: String) throws(Scenario.Unreadable) -> String {
        guard !self.words.isEmpty else { throw self.unreadable("\(what) is missing") }
        return self.words.removeFirst()
    }

    mutating func skip(_ word: String) throws(Scenario.Unreadable) {
        let found = try self.word("“\(word)”")
        guard found == word else { throw self.unreadable("“\(found)” stands where “\(word)” belongs") }
    }

    func end() throws(Scenario.Unreadable) {
        if let left = self.words.first { throw self.unreadable("“\(left)” is too much") }
    }

    mutating func number(_ range: ClosedRange<Int>) throws(Scenario.Unreadable) -> Int {
        let text = try self.word("a number")
        guard let number = Int(text), range.contains(number) else {
            throw self.unreadable("“\(text)” is no number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// As `250ms`, `3s`, `-60s` or `2min`; in nanoseconds.
    mutating func length() throws(Scenario.Unreadable) -> Int64 {
        let text = try self.word("a time")
        for (unit, span) in [("ms", Span.millisecond), ("min", Span.minute), ("s", Span.second)] {
            if text.hasSuffix(unit), let number = Int64(text.dropLast(unit.count)) { return number * span }
        }
        throw self.unreadable("“\(text)” is no time: 250ms, 3s and 2min are")
    }

    private mutating func host(_ nodes: Int) throws(Scenario.Unreadable) -> Int {
        let text = try self.word("a node")
        guard text.hasPrefix("node-"), let number = Int(text.dropFirst(5)), (1...nodes).contains(number)
        else {
            throw self.unreadable("“\(text)” is none of the nodes node-1 to node-\(nodes)")
        }
        return number - 1
    }

    mutating func fault(at: Int64, nodes: Int) throws(Scenario.Unreadable) -> Fault {
        let text = try self.word("a kind of fault")
        guard let kind = FaultKind(rawValue: text) else {
            throw self.unreadable("“\(text)” is no kind of fault")
        }
        var fault = Fault(kind: kind, at: at)
        if self.words.first?.hasPrefix("node-") == true { fault.host = try self.host(nodes) }
        if self.words.first == "for" {
            try self.skip("for")
            fault.length = try self.length()
        } else if kind == .kill {
            fault.kind = .down
        }
        if self.words.first == "by" {
            try self.skip("by")
            fault.amount = try self.length() / Span.millisecond
        }
        return fault
    }

    mutating func wish(nodes: Int) throws(Scenario.Unreadable) -> Scenario.Wish {
        switch self.words.first {
        case "nobody":
            try self.skip("nobody")
            try self.skip("dead")
            return .nobodyDead
        case "leader":
            try self.skip("leader")
            return .leader
        default:
            let host = try self.host(nodes)
            let state = try self.word("dead or living")
            switch state {
            case "dead": return .dead("node-\(host + 1)")
            case "living": return .living("node-\(host + 1)")
            default: throw self.unreadable("“\(state)” is neither dead nor living")
            }
        }
    }
}
