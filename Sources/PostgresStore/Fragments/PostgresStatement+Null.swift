package import PostgresDriver

extension PostgresStatement.Parts {
    /// A value or NULL.
    ///
    /// Without this overload the compiler takes an optional in a string for a mistake.
    package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
        self.appendInterpolation(OrNull(value: value))
    }
}

private struct OrNull<Value: PostgresEncodable>: PostgresEncodable {
    let value: Value?

    static var postgresType: PostgresType { Value.postgresType }
    var isPostgresNull: Bool { self.value.isPostgresNull }
    func encode(into writer: inout PostgresWriter) { self.value?.encode(into: &writer) }
}
