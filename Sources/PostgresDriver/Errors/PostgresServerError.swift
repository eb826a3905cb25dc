/// What the server said when it refused a statement.
package struct PostgresServerError: Sendable, Equatable {
    package var sqlState: SQLState
    package var message: String
    package var detail: String?
    package var hint: String?
    package var constraint: String?
    package var schema: String?
    package var table: String?
    package var column: String?
    /// FATAL or PANIC: the server ended the connection with it.
    package var endsConnection = false
}

extension PostgresServerError: CustomStringConvertible {
    package var description: String {
        var text = "\(self.message) (SQLSTATE \(self.sqlState))"
        if let detail = self.detail { text += "; \(detail)" }
        if let constraint = self.constraint { text += "; constraint \(constraint)" }
        return text
    }
}

/// The five characters that say what kind of error it is.
package struct SQLState: RawRepresentable, Sendable, Hashable, ExpressibleByStringLiteral,
    CustomStringConvertible
{
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package init(stringLiteral value: String) { self.rawValue = value }
    package var description: String { self.rawValue }

    package static let uniqueViolation: SQLState = "23505"
    package static let foreignKeyViolation: SQLState = "23503"
    package static let checkViolation: SQLState = "23514"
    package static let notNullViolation: SQLState = "23502"
    package static let serializationFailure: SQLState = "40001"
    package static let insufficientPrivilege: SQLState = "42501"
    package static let deadlockDetected: SQLState = "40P01"
    package static let lockNotAvailable: SQLState = "55P03"
    package static let queryCanceled: SQLState = "57014"
    package static let readOnlyTransaction: SQLState = "25006"
    package static let inFailedTransaction: SQLState = "25P02"
    package static let featureNotSupported: SQLState = "0A000"
    package static let invalidStatementName: SQLState = "26000"
    package static let undefinedTable: SQLState = "42P01"
    package static let diskFull: SQLState = "53100"
    package static let tooManyConnections: SQLState = "53300"
}
