package import ClusterPorts

package import struct Foundation.UUID

/// Judges what became of an operation whose reply was lost, from rows that were read afterwards (rule R2).
package enum UnknownOutcome: Equatable {
    /// Its decision stands and is to be rolled forward.
    case decided(UnfinishedName)
    /// It holds the name without a decision.
    case reserved
    /// Somebody rolled it forward and finished it: the transfer log says how.
    case ended(TransferRecord)
    /// Nothing knows it. The statement may still be running on the server, so it is looked for again later.
    case nothing

    /// The name's row must have been read before the log: both change in one statement.
    package static func judge(_ operation: UUID, row: UnfinishedName?, record: TransferRecord?)
        -> UnknownOutcome
    {
        if let row, row.operation.id == operation { return row.change == nil ? .reserved : .decided(row) }
        if let record, record.id == operation, record.status != .running { return .ended(record) }
        return .nothing
    }
}
