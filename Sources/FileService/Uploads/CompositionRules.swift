package import ClusterModel
package import ClusterPorts

/// Decides how an upload is put together from partial ones.
package enum CompositionRules {
    /// Bytes of a staged file, and where their first one stands in the whole.
    package struct Piece: Hashable, Sendable {
        package var file: StagedName
        package var range: Range<Int64>
        package var place: Int64
    }

    /// Where the bytes come from, in order; nil when a part's segments have a gap.
    package static func pieces(of parts: [(Upload, [UploadSegment])]) -> [Piece]? {
        var pieces: [Piece] = []
        var begin: Int64 = 0
        for (part, segments) in parts {
            guard let missing = UploadRules.missing(before: part.durable, in: segments) else { return nil }
            for (segment, range) in missing {
                pieces.append(
                    Piece(
                        file: StagedName(incarnation: segment.incarnation, file: segment.file), range: range,
                        place: begin + range.lowerBound))
            }
            begin += part.durable
        }
        return pieces
    }

    /// Steps of `step` bytes at most, so that whoever copies can look up in between.
    package static func steps(of piece: Piece, by step: Int64) -> [Piece] {
        stride(from: piece.range.lowerBound, to: piece.range.upperBound, by: Int64.Stride(max(1, step))).map {
            from in
            Piece(
                file: piece.file, range: from..<min(from + max(1, step), piece.range.upperBound),
                place: piece.place + from - piece.range.lowerBound)
        }
    }

    /// Why an upload cannot be a part of a new one; nil when it can.
    package static func fault(of part: Upload?, by account: AccountID) -> PartFault? {
        guard let part, part.account == account else { return .unknown }
        guard part.part == .partial else { return .notPartial }
        switch part.status {
        case .aborted: return .ended(reason: part.reason ?? "it was aborted")
        case .open:
            guard part.isWhole else { return .unfinished(durable: part.durable, length: part.length) }
        case .decided, .finished: break
        }
        return part.partOf.map { .given($0) }
    }

    /// The upload that all parts were given to, which may be the one that is asked for once more.
    package static func earlier(_ parts: [Upload?]) -> UploadID? {
        guard let first = parts.first, let final = first?.partOf,
            parts.allSatisfy({ $0?.partOf == final })
        else { return nil }
        return final
    }

    /// Whether an upload is what the request asks for: its answer was lost.
    package static func isSame(_ upload: Upload, as request: UploadRequest, by account: AccountID) -> Bool {
        upload.account == account && upload.parts == request.parts && upload.path == request.path
            && upload.status != .aborted
    }
}
