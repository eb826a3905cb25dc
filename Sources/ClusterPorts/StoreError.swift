/// Why a store did not answer, said so that the caller knows what it may do next.
package enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
    /// It surely did not happen: no connection, no place in the queue, the deadline passed before it was sent.
    /// Trying again is safe.
    case notRun(String)
    /// It was sent and the answer never came. Read the row by its id and epoch before anything else.
    case mayHaveRun(String)
    /// The database refused it. Trying the same again fails again.
    case refused(sqlState: String, message: String)
    /// What came back is not what this version writes.
    case corrupt(String)

    package var description: String {
        switch self {
        case .notRun(let reason): "the database did not run it: \(reason)"
        case .mayHaveRun(let reason): "the database may have run it: \(reason)"
        case .refused(let sqlState, let message): "the database refused it (\(sqlState)): \(message)"
        case .corrupt(let reason): "the database holds what this version cannot read: \(reason)"
        }
    }
}
