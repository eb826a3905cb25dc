/// What an array of these is to the server: mostly an array, but `[UInt8]` is a `bytea`.
package protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encode(array: [Self], into writer: inout PostgresWriter)
    static func decodeArray(_ cell: PostgresCell) throws(PostgresCellFault) -> [Self]
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.postgresArrayType }
    package func encode(into writer: inout PostgresWriter) { Element.encode(array: self, into: &writer) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> [Element] {
        try Element.decodeArray(cell)
    }
}

extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .bytea }
    package static func encode(array: [UInt8], into writer: inout PostgresWriter) { writer.write(array) }
    package static func decodeArray(_ cell: PostgresCell) throws(PostgresCellFault) -> [UInt8] {
        guard cell.type == .bytea else { throw .type(cell.type, wanted: [UInt8].self) }
        return try cell.bytes()
    }
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    package static func encode(array: [Self], into writer: inout PostgresWriter) {
        writer.write(Int32(array.isEmpty ? 0 : 1))
        writer.write(Int32(array.contains(where: \.isPostgresNull) ? 1 : 0))
        writer.write(Self.postgresType.rawValue)
        guard !array.isEmpty else { return }
        writer.write(Int32(array.count))
        writer.write(Int32(1))  // Arrays of the server count from one.
        for element in array {
            writer.writeCounted(isNull: element.isPostgresNull) { element.encode(into: &$0) }
        }
    }

    package static func decodeArray(_ cell: PostgresCell) throws(PostgresCellFault) -> [Self] {
        var reader = try PostgresCellReader(cell)
        let dimensions = try reader.integer(as: Int32.self)
        _ = try reader.integer(as: Int32.self)
        let type = PostgresType(rawValue: try reader.integer(as: UInt32.self))
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw PostgresCellFault("it is an array of \(dimensions) dimensions") }
        let count = try reader.integer(as: Int32.self)
        _ = try reader.integer(as: Int32.self)
        guard count >= 0 else { throw PostgresCellFault("it has \(count) elements") }
        var array: [Self] = []
        // No reserve: the count is the server's word, the bytes that follow are what is really there.
        for _ in 0..<count { array.append(try Self.decode(reader.cell(type: type))) }
        return array
    }
}

/// Arrays with NULLs in them.
extension Optional: PostgresArrayElement where Wrapped: PostgresScalar {
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
}

/// Arrays of `bytea`, with or without NULLs in them.
extension [UInt8]: PostgresArrayElement, PostgresScalar {
    package static var postgresArrayType: PostgresType { .byteaArray }
}
