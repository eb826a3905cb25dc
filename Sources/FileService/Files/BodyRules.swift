package import ClusterModel
import ClusterPorts

/// Decides whether a body has the length and the digest that were promised.
package enum BodyRules {
    /// Judged after each piece.
    package static func objection(received: Int64, expected: Int64?) -> FileServiceError? {
        guard let expected, received > expected else { return nil }
        return .bodyTooLong(expected: expected)
    }

    /// Judged at the end of the body.
    package static func objection(atEnd received: Int64, expected: Int64?) -> FileServiceError? {
        guard let expected, received != expected else { return nil }
        return received > expected
            ? .bodyTooLong(expected: expected) : .bodyTooShort(expected: expected, received: received)
    }

    package static func objection(digest received: Digest, expected: Digest?) -> FileServiceError? {
        guard let expected, expected != received else { return nil }
        return .digestMismatch(expected: expected, received: received)
    }
}

/// Decides how long a running upload goes on when its node loses the cluster.
package struct StreamPatience {
    package let incarnation: Incarnation
    package let longest: Duration
    private var isolatedSince: ContinuousClock.Instant?

    package init(incarnation: Incarnation, longest: Duration) {
        self.incarnation = incarnation
        self.longest = longest
    }

    /// Nil: go on.
    ///
    /// A dead incarnation commits nothing any more; an isolated or a sick one may come back.
    package mutating func objection(_ standing: Standing, at now: ContinuousClock.Instant)
        -> FileServiceError?
    {
        switch standing {
        case .serving(let right, _), .draining(let right, _), .stale(let right):
            self.isolatedSince = nil
            return right.incarnation == self.incarnation ? nil : Self.gone
        case .isolated(let right), .sick(let right, _):
            guard right.incarnation == self.incarnation else { return Self.gone }
            let since = self.isolatedSince ?? now
            self.isolatedSince = since
            guard now - since >= self.longest else { return nil }
            return .notServing(reason: "this node lost its cluster or its mount", retryAfterSeconds: 1)
        case .outside:
            return Self.gone
        }
    }

    private static let gone = FileServiceError.notServing(
        reason: "this node is no member of its cluster any more", retryAfterSeconds: 1)
}
