/// A `jsonb` or `json` document as its text; it is neither parsed nor checked here.
package struct PostgresJSON: Sendable, Hashable {
    package let text: String
    package init(_ text: String) { self.text = text }
}

extension PostgresJSON: PostgresScalar {
    package static var postgresType: PostgresType { .jsonb }
    package static var postgresArrayType: PostgresType { .jsonbArray }

    package func encode(into writer: inout PostgresWriter) {
        writer.write(UInt8(1))  // The version of the binary form.
        writer.write(self.text.utf8)
    }

    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> PostgresJSON {
        switch cell.type {
        case .json: return try PostgresJSON(cell.text())
        case .jsonb:
            guard unsafe try cell.required().first == 1 else {
                throw PostgresCellFault("its binary form has an unknown version")
            }
            return try PostgresJSON(cell.text(from: 1))
        case let other: throw .type(other, wanted: PostgresJSON.self)
        }
    }
}
