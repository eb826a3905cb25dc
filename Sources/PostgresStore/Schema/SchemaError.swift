package import ClusterPorts

/// Why the schema is not what this program needs.
package enum SchemaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The database was migrated by a newer program that says that this one cannot live with it.
    case tooNew(minReaderVersion: Int, known: Int)
    /// The database does not answer, or another node holds the lock of the migrations, or a long statement a
    /// table.
    case busy(waited: Duration, StoreError)
    case failed(version: Int, StoreError)
    case unreadable(StoreError)

    package var description: String {
        switch self {
        case .tooNew(let minReaderVersion, let known):
            """
            the database needs a program that knows schema \(minReaderVersion), and this one knows \(known): \
            update this node
            """
        case .busy(let waited, let error):
            "the schema could not be brought up to date within \(waited.components.seconds) s: \(error)"
        case .failed(let version, let error): "migration \(version) of the schema failed: \(error)"
        case .unreadable(let error): "the schema's version could not be read: \(error)"
        }
    }
}
