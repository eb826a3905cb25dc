/// The statements by which a node writes something that it must have the right to.
///
/// Each is tried in a situation in which a live node succeeds, so that a refusal comes from the right alone.
enum CommitKind: String, CaseIterable, Sendable {
    /// Completing a lease that it holds.
    case end
    case acquire
    /// A publication that is decided at once.
    case decide
    case reserve
    /// A reservation of before its death becomes a decision.
    case decideReserved
    case markFolder
    case releaseFolder
    case recordTransfer
    case claimDeparture
    case closeDeparture
    case takeLead
    /// A leader's write.
    case prune
    case sweepDead
    case sweepOverdue
    case drain
    case heartbeat
    /// Joining once more by the number that died.
    case joinAgain

    /// What a live node may do without an end to its own life; the others are for the dead only.
    static let whileAlive: [CommitKind] = [
        .end, .end, .acquire, .acquire, .decide, .decide, .reserve, .recordTransfer, .heartbeat, .takeLead,
        .prune, .claimDeparture,
    ]
}
