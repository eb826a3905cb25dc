package import ClusterModel

/// Decides what a request may do with an upload as its row shows it.
package enum UploadRules {
    /// What keeps a piece from being taken; nil when nothing does.
    package static func objection(to piece: UploadPiece, of upload: Upload, by account: AccountID)
        -> UploadError?
    {
        if let objection = Self.objection(toSeeing: upload, by: account) { return objection }
        if upload.isComposed { return .composed }
        switch upload.status {
        case .aborted: return .ended(reason: upload.reason ?? "it was aborted")
        case .finished: if let reason = upload.reason { return .ended(reason: reason) }
        case .open: if upload.isWorkedOn { return .working }
        case .decided: break
        }
        guard piece.offset == upload.durable else { return .wrongOffset(durable: upload.durable) }
        if let said = piece.length {
            if let length = upload.length ?? upload.announced, length != said { return .wrongLength(length) }
            if said < upload.durable { return .wrongLength(upload.length) }
        }
        return nil
    }

    /// Others' uploads are not there.
    package static func objection(toSeeing upload: Upload, by account: AccountID) -> UploadError? {
        upload.account == account ? nil : .notFound
    }

    /// Whether an offset that is reported must first be taken from whoever may still write behind it.
    package static func mustFreeze(_ upload: Upload, at own: Incarnation, isInterrupted: Bool) -> Bool {
        // Nobody can add anything to one that is whole.
        guard upload.status == .open, upload.epoch != nil, !upload.isWhole else { return false }
        return upload.incarnation != own || !isInterrupted
    }

    /// Whether the row, read before or after, shows a newer epoch than a title's.
    package static func isOutdated(_ title: UploadTitle, by upload: Upload) -> Bool {
        guard let epoch = upload.epoch else { return false }
        return epoch > title.epoch
    }

    /// What of the manifest a file that begins at `begin` lacks, in order.
    ///
    /// Nil when the segments before do not reach that far without a gap.
    package static func missing(before begin: Int64, in segments: [UploadSegment]) -> [(
        UploadSegment, Range<Int64>
    )]? {
        var parts: [(UploadSegment, Range<Int64>)] = []
        var place: Int64 = 0
        for segment in segments.sorted(by: { $0.number < $1.number }) where place < begin {
            guard segment.begin <= place, segment.end > place else { continue }
            let end = min(segment.end, begin)
            parts.append((segment, place..<end))
            place = end
        }
        return place == begin ? parts : nil
    }
}
