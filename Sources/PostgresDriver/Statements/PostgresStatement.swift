/// SQL with its parameters, written as a string: `"select size from file where id = \(id)"`.
///
/// A value in the string becomes `$n`, bound in binary with the server's type of the value; it is never part
/// of the SQL, so it needs no quotes and cannot be an injection. `\(unescaped: name)` puts text into the SQL
/// as it is, for names that the program itself made. A statement in the string becomes a part of this one,
/// its parameters included.
package struct PostgresStatement: Sendable {
    package private(set) var sql: String
    private(set) var parameters: PostgresParameters
    /// Whether the server keeps the plan, on the connection, under this SQL; on unless said otherwise.
    package private(set) var isPrepared = true
    /// As libpq has it: 1 asks for binary values, 0 for text.
    private(set) var resultFormat: Int32 = 1

    /// SQL without parameters, taken as it is.
    package init(unescaped sql: String) {
        self.sql = sql
        self.parameters = PostgresParameters()
    }

    fileprivate init(sql: String, parameters: PostgresParameters) {
        self.sql = sql
        self.parameters = parameters
    }

    /// The same, parsed anew by the server each time: for SQL that is different each time.
    package func unprepared() -> PostgresStatement {
        var copy = self
        copy.isPrepared = false
        return copy
    }

    /// The same, answered in the server's text form: every column then reads as a `String`, and as nothing
    /// else.
    ///
    /// For types that this driver does not know in binary, and for output that people read. Better where only
    /// one column needs it: `column::text`.
    package func withTextResults() -> PostgresStatement {
        var copy = self
        copy.resultFormat = 0
        return copy
    }

    /// Continues the statement; parameters keep counting.
    package mutating func append(_ part: PostgresStatement) {
        self.parameters.append(part.parameters, of: part.sql, to: &self.sql)
    }
}

/// Shows the SQL and the number of parameters, never their values: they may be secrets.
extension PostgresStatement: CustomStringConvertible {
    package var description: String {
        self.parameters.count == 0 ? self.sql : "\(self.sql) [\(self.parameters.count) parameters]"
    }
}

extension PostgresStatement: ExpressibleByStringInterpolation {
    package init(stringLiteral value: String) { self.init(unescaped: value) }

    package init(stringInterpolation parts: Parts) {
        self.init(sql: parts.sql, parameters: parts.parameters)
    }

    package struct Parts: StringInterpolationProtocol {
        fileprivate var sql = ""
        fileprivate var parameters = PostgresParameters()

        package init(literalCapacity: Int, interpolationCount: Int) {
            self.sql.reserveCapacity(literalCapacity + 4 * interpolationCount)
            self.parameters.reserve(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) { self.sql += literal }

        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            self.parameters.append(value, to: &self.sql)
        }

        /// A value or NULL.
        ///
        /// Without this overload the compiler takes an optional in a string for a mistake.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            self.parameters.append(value, to: &self.sql)
        }

        package mutating func appendInterpolation(unescaped text: String) { self.sql += text }

        /// A name of a table, a column or a channel, quoted.
        package mutating func appendInterpolation(_ identifier: PostgresIdentifier) {
            self.sql += identifier.quoted
        }

        package mutating func appendInterpolation(_ part: PostgresStatement) {
            self.parameters.append(part.parameters, of: part.sql, to: &self.sql)
        }
    }
}
