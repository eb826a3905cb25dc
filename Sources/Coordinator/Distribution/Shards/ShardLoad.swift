import ClusterModel

/// Smooths the measured work of one shard; its owner keeps it and reports it in the shard's row.
///
/// The smoothed number lives in the row, so a new owner goes on with it, and a new leader decides as the old one
/// would have.
package struct ShardLoad: Sendable, Equatable {
    /// Work a second.
    package private(set) var smoothed: Double
    private let halfLife: Duration

    /// - Parameter known: what the row says; what is no number counts as nothing.
    package init(known: Double, rules: ShardRules = .standard) {
        self.smoothed = Self.sane(known)
        self.halfLife = rules.halfLife
    }

    /// So much work was done in so long on the own steady clock; a longer time weighs more.
    package mutating func measured(_ work: Double, over time: Duration) {
        let seconds = Double(time.wholeNanoseconds) / 1e9
        guard seconds > 0, work.isFinite, work >= 0 else { return }
        // The part of the old level that is left: 1/2 after a half-life. For times of up to some half-lives
        // 1 / (1 + t·ln 2 + (t·ln 2)² / 2) is within a few percent of 2^-t, and never negative.
        let lives = seconds / (Double(self.halfLife.wholeNanoseconds) / 1e9) * 0.693_147
        let kept = 1 / (1 + lives + lives * lives / 2)
        self.smoothed = self.smoothed * kept + work / seconds * (1 - kept)
    }

    /// What a leader counts.
    static func sane(_ load: Double) -> Double { load.isFinite && load > 0 ? load : 0 }
}
