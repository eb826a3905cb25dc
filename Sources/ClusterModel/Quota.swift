/// How much an account may have in its home; at least one of the two is a limit.
package struct Quota: Hashable, Sendable, Codable {
    /// Nil for any number.
    package var bytes: Int64?
    /// Regular files; folders are not counted.
    ///
    /// Nil for any number.
    package var files: Int64?

    package init(bytes: Int64?, files: Int64?) {
        self.bytes = bytes
        self.files = files
    }

    /// Nil when neither is a limit.
    package init?(limits bytes: Int64?, _ files: Int64?) {
        guard bytes != nil || files != nil else { return nil }
        self.init(bytes: bytes, files: files)
    }
}

/// Bytes and files of a home, or of something in it.
package struct HomeUse: Hashable, Sendable, Codable {
    package static let none = HomeUse(bytes: 0, files: 0)

    package var bytes: Int64
    package var files: Int64

    package init(bytes: Int64, files: Int64) {
        self.bytes = bytes
        self.files = files
    }
}

/// Why a decision, or the bytes on the way to one, do not fit.
package struct QuotaRefusal: Hashable, Sendable {
    package var quota: Quota
    /// At the moment of the refusal.
    package var use: HomeUse
    /// What would have been added.
    package var need: HomeUse

    package init(quota: Quota, use: HomeUse, need: HomeUse) {
        self.quota = quota
        self.use = use
        self.need = need
    }

    /// Whether it is the bytes that do not fit, and not only the number of files.
    package var isAboutBytes: Bool {
        guard let limit = self.quota.bytes else { return false }
        return self.need.bytes > 0 && self.need.bytes > limit - min(limit, self.use.bytes)
    }
}

/// What a change adds to the use of its home (docs/QUOTAS.md).
package enum ChangeCost: Hashable, Sendable {
    /// Exactly so much; negative where it gives back.
    case difference(HomeUse)
    /// Nothing, but whoever counts the home meanwhile may see so much twice, or not at all.
    case moved(HomeUse)
    /// Nothing, and nobody knows how much a count may see twice or not at all.
    case movedFolder
    /// It gives back more than was counted in time: the home is counted anew.
    case uncounted

    /// What is added.
    package var added: HomeUse {
        switch self {
        case .difference(let use): use
        case .moved, .movedFolder, .uncounted: .none
        }
    }

    /// By how much a count that runs meanwhile may be wrong.
    package var churn: HomeUse {
        switch self {
        case .difference(let use): HomeUse(bytes: abs(use.bytes), files: abs(use.files))
        case .moved(let use): use
        case .movedFolder, .uncounted: .none
        }
    }

    /// Whether a count that runs meanwhile is worth nothing.
    package var voidsCounts: Bool {
        switch self {
        case .movedFolder, .uncounted: true
        case .difference, .moved: false
        }
    }
}
