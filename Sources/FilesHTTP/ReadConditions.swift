package import HTTPDoor
package import HTTPTypes

/// What a read asks for besides the path: a range, and preconditions.
package struct ReadConditions: Sendable, Equatable {
    package var range: ByteRange.Parsed = .whole
    /// The range counts only for this tag; a date never matches.
    package var ifRange: String?
    package var ifMatch: EntityTags?
    package var ifNoneMatch: EntityTags?
    /// Means nothing to ``outcome(tag:size:)``.
    package var wanted = WantedDigests()

    package init() {}

    /// - Parameter isHead: A `Range` has no meaning with HEAD.
    package init(_ headers: HTTPFields, isHead: Bool) throws(Problem) {
        self.range = isHead ? .whole : ByteRange.parse(headers[.range])
        self.ifRange = headers[.ifRange]
        self.ifMatch = try FileHeaders.tags(.ifMatch, headers)
        self.ifNoneMatch = try FileHeaders.tags(.ifNoneMatch, headers)
        self.wanted = WantedDigests(headers)
    }

    package enum Outcome: Sendable, Equatable {
        case whole
        case part(Range<Int64>)
        /// In the order in which they were asked for; together not more than the file.
        case parts([Range<Int64>])
        case notModified
    }

    /// Judges the preconditions in the order of RFC 9110, 13.2.2.
    package func outcome(tag: String, size: Int64) throws(Problem) -> Outcome {
        if let ifMatch = self.ifMatch, !ifMatch.match(tag) { throw FileProblems.changed(tag: tag) }
        if let ifNoneMatch = self.ifNoneMatch, ifNoneMatch.matchWeakly(tag) { return .notModified }
        if let ifRange = self.ifRange, ifRange != tag { return .whole }
        switch self.range {
        case .whole: return .whole
        case .malformed:
            throw Problem(
                .rangeNotSatisfiable, .invalidRange,
                "the Range header must look like “bytes=0-99”, “bytes=100-” or “bytes=-100”"
            ).with(header: .contentRange, "bytes */\(size)")
        case .one(let range):
            return try Self.outcome([range], size: size)
        case .several(let ranges):
            return try Self.outcome(ranges, size: size)
        }
    }

    /// Ranges that lie outside the file are left out; where the rest is more than the file, as when they overlap,
    /// the whole file is shorter.
    private static func outcome(_ ranges: [ByteRange], size: Int64) throws(Problem) -> Outcome {
        let parts = ranges.compactMap { $0.resolved(size: size) }
        guard let first = parts.first else {
            throw Problem(.rangeNotSatisfiable, .rangeNotSatisfiable, "the file has \(size) bytes")
                .with("size", "\(size)").with(header: .contentRange, "bytes */\(size)")
        }
        guard parts.count > 1 else { return .part(first) }
        return parts.reduce(0) { $0 + Int64($1.count) } <= size ? .parts(parts) : .whole
    }
}
