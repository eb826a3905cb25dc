import HTTPTypes

/// Takes the items of a query one by one; what nobody took is refused by name at the end.
package struct QueryReader {
    private var values: [String: String] = [:]

    /// Refuses a name that occurs twice, and NUL, which no text of ours has and the database refuses.
    package init(_ items: [RequestTarget.QueryItem]) throws(Problem) {
        for item in items {
            guard !item.value.utf8.contains(0) else {
                throw Self.invalid(item.name, item.value, "it has a NUL")
            }
            guard self.values.updateValue(item.value, forKey: item.name) == nil else {
                throw Self.invalid(item.name, item.value, "it is given twice")
            }
        }
    }

    package static func invalid(_ name: String, _ value: String, _ reason: String) -> Problem {
        Problem(
            .badRequest, .invalidParameter,
            "the query parameter “\(name)” has the value “\(value)”: \(reason)"
        )
        .with("parameter", name).with("value", value)
    }

    package mutating func text(_ name: String) -> String? { self.values.removeValue(forKey: name) }

    /// Whether the parameter is there, for those that only make sense together with something else.
    package func has(_ name: String) -> Bool { self.values[name] != nil }

    /// Reads a value with a function that answers nil for one it does not understand.
    package mutating func value<Value>(
        _ name: String, _ expected: String, _ read: (String) -> Value?
    ) throws(Problem) -> Value? {
        guard let text = self.text(name) else { return nil }
        guard let value = read(text) else { throw Self.invalid(name, text, "expected \(expected)") }
        return value
    }

    package mutating func flag(_ name: String) throws(Problem) -> Bool {
        try self.value(name, "true or false") { ["true": true, "false": false][$0] } ?? false
    }

    package mutating func number(_ name: String, in range: ClosedRange<Int64>) throws(Problem) -> Int64? {
        try self.value(name, "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            // Int64 accepts a plus sign, which is no part of a number here.
            text.hasPrefix("+") ? nil : Int64(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    package mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ name: String, _ type: Value.Type
    ) throws(Problem) -> Value? where Value.RawValue == String {
        let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return try self.value(name, "one of \(all)") { Value(rawValue: $0) }
    }

    /// Call it last.
    package func finish() throws(Problem) {
        guard let name = self.values.keys.sorted().first else { return }
        throw Problem(.badRequest, .unknownParameter, "the query parameter “\(name)” is unknown here")
            .with("parameter", name)
    }
}
