package import ClusterModel

/// What a ``ShardKeeper`` wants done.
package enum ShardOrder: Hashable, Sendable {
    /// Ask the database for it, unless somebody else who lives owns it, or has taken it since the row with this
    /// epoch was read.
    ///
    /// The epoch may be of this very incarnation, given up without a release: the taking draws a new one, so nothing
    /// that is still under way for the old one can write.
    case take(ShardNumber, after: Epoch?)
    /// It is owned: begin its work.
    case begin(ShardTitle)
    /// Begin nothing new, and say when what is in hand has ended.
    case end(ShardTitle)
    /// Cancel what is in hand, now.
    case cut(ShardTitle)
    /// Give it up in the database.
    case release(ShardTitle)

    package var number: ShardNumber {
        switch self {
        case .take(let number, _): number
        case .begin(let title), .end(let title), .cut(let title), .release(let title): title.number
        }
    }
}
