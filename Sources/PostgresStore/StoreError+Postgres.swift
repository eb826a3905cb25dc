package import ClusterPorts
package import PostgresDriver

extension StoreError {
    /// Says what the driver's error means for the caller.
    package init(_ error: PostgresError) {
        switch error {
        case .didNotRun(let reason): self = .notRun("\(reason)")
        case .mayHaveRun(let reason): self = .mayHaveRun("\(reason)")
        case .unreadable(let reason): self = .corrupt(reason)
        case .failed(let error) where Self.isPassing(error.sqlState): self = .notRun(error.description)
        case .failed(let error):
            self = .refused(sqlState: error.sqlState.rawValue, message: error.description)
        }
    }

    /// Refusals that have to do with the moment and not with the statement.
    private static func isPassing(_ state: SQLState) -> Bool {
        switch state.rawValue.prefix(2) {
        // Conflicts with others; lack of connections, memory or disk; timeouts and a server that stops.
        case "40", "53", "57": true
        default: state == .lockNotAvailable || state == .readOnlyTransaction
        }
    }

    /// A write by an incarnation that lives no more.
    static let fenced = StoreError.refused(sqlState: "FL001", message: "the incarnation lives no more")

    func isRefusal(_ state: SQLState) -> Bool {
        if case .refused(let found, _) = self { found == state.rawValue } else { false }
    }
}

extension PostgresRow {
    /// All columns, in order; what cannot be read is `corrupt`.
    func reading<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws(StoreError) -> (repeat each Value) {
        do throws(PostgresError) {
            return try self.decode(repeat (each types))
        } catch {
            throw StoreError(error)
        }
    }

    /// One column, counted from 0.
    func reading<Value: PostgresDecodable>(column: Int, as type: Value.Type) throws(StoreError) -> Value {
        do throws(PostgresError) {
            return try self[column, as: type]
        } catch {
            throw StoreError(error)
        }
    }
}
