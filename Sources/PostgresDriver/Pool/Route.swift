/// The hosts of a pool, and the one at which its lanes begin to look; loop's thread only.
final class Route: @unchecked Sendable {
    let targets: ConnectionTargets
    /// The number of the target that took the last connection: the likeliest to take the next.
    var first = 0

    init(_ targets: ConnectionTargets) { self.targets = targets }
}
