/// The value of `If-Match` and `If-None-Match`: any tag, or some.
package enum EntityTags: Sendable, Equatable {
    case any
    /// With quotes; weak ones with `W/` in front.
    case some([String])

    /// Nil when it is not what RFC 9110, 8.8.3 allows.
    package init?(_ header: String) {
        let text = header.drop { $0 == " " }
        guard text != "*" else {
            self = .any
            return
        }
        var tags: [String] = []
        var rest = text
        while !rest.isEmpty {
            let isWeak = rest.hasPrefix("W/")
            if isWeak { rest.removeFirst(2) }
            guard rest.first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") else { return nil }
            tags.append((isWeak ? "W/" : "") + rest[...end])
            rest = rest[rest.index(after: end)...].drop { $0 == " " || $0 == "\t" }
            if rest.first == "," {
                rest = rest.dropFirst().drop { $0 == " " || $0 == "\t" || $0 == "," }
            } else if !rest.isEmpty {
                return nil
            }
        }
        guard !tags.isEmpty else { return nil }
        self = .some(tags)
    }

    /// Strong comparison: weak tags never match.
    package func match(_ tag: String) -> Bool {
        switch self {
        case .any: true
        case .some(let tags): tags.contains(tag)
        }
    }

    /// Weak comparison, for `If-None-Match`.
    package func matchWeakly(_ tag: String) -> Bool {
        switch self {
        case .any: true
        case .some(let tags): tags.contains { ($0.hasPrefix("W/") ? String($0.dropFirst(2)) : $0) == tag }
        }
    }
}
