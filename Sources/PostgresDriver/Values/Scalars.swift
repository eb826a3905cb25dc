package import FoundationEssentials

extension Bool: PostgresScalar {
    package static var postgresType: PostgresType { .bool }
    package static var postgresArrayType: PostgresType { .boolArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(UInt8(self ? 1 : 0)) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Bool {
        guard cell.type == .bool else { throw .type(cell.type, wanted: Bool.self) }
        return try cell.integer(as: UInt8.self) != 0
    }
}

extension Int16: PostgresScalar {
    package static var postgresType: PostgresType { .int2 }
    package static var postgresArrayType: PostgresType { .int2Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(self) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Int16 {
        try cell.exactInteger()
    }
}

extension Int32: PostgresScalar {
    package static var postgresType: PostgresType { .int4 }
    package static var postgresArrayType: PostgresType { .int4Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(self) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Int32 {
        try cell.exactInteger()
    }
}

extension Int64: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(self) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Int64 {
        try cell.exactInteger()
    }
}

extension Int: PostgresScalar {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(Int64(self)) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Int {
        try cell.exactInteger()
    }
}

extension PostgresCell {
    /// Any integer column reads as any integer type that holds its value.
    fileprivate func exactInteger<T: FixedWidthInteger>() throws(PostgresCellFault) -> T {
        let wide: Int64 =
            switch self.type {
            case .int8: try self.integer(as: Int64.self)
            case .int4: try Int64(self.integer(as: Int32.self))
            case .int2: try Int64(self.integer(as: Int16.self))
            case .oid: try Int64(self.integer(as: UInt32.self))
            case let other: throw .type(other, wanted: T.self)
            }
        guard let exact = T(exactly: wide) else {
            throw PostgresCellFault("\(wide) is out of range for \(T.self)")
        }
        return exact
    }
}

extension Double: PostgresScalar {
    package static var postgresType: PostgresType { .float8 }
    package static var postgresArrayType: PostgresType { .float8Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.bitPattern) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Double {
        switch cell.type {
        case .float8: try Double(bitPattern: cell.integer(as: UInt64.self))
        case .float4: try Double(Float(bitPattern: cell.integer(as: UInt32.self)))
        case let other: throw .type(other, wanted: Double.self)
        }
    }
}

extension Float: PostgresScalar {
    package static var postgresType: PostgresType { .float4 }
    package static var postgresArrayType: PostgresType { .float4Array }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.bitPattern) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Float {
        guard cell.type == .float4 else { throw .type(cell.type, wanted: Float.self) }
        return try Float(bitPattern: cell.integer(as: UInt32.self))
    }
}

extension String: PostgresScalar {
    package static var postgresType: PostgresType { .text }
    package static var postgresArrayType: PostgresType { .textArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(self.utf8) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> String {
        if cell.type == .jsonb { return try PostgresJSON.decode(cell).text }
        guard cell.type.isText else { throw .type(cell.type, wanted: String.self) }
        return try cell.text()
    }
}

extension UUID: PostgresScalar {
    package static var postgresType: PostgresType { .uuid }
    package static var postgresArrayType: PostgresType { .uuidArray }
    package func encode(into writer: inout PostgresWriter) {
        unsafe withUnsafeBytes(of: self.uuid) { unsafe writer.write($0) }
    }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> UUID {
        guard cell.type == .uuid else { throw .type(cell.type, wanted: UUID.self) }
        let bytes = unsafe try cell.required()
        guard bytes.count == 16 else { throw PostgresCellFault("\(bytes.count) bytes are no UUID") }
        return unsafe UUID(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

/// The bytes of a `bytea`; `[UInt8]` does as well.
extension Data: PostgresScalar {
    package static var postgresType: PostgresType { .bytea }
    package static var postgresArrayType: PostgresType { .byteaArray }
    package func encode(into writer: inout PostgresWriter) { writer.write(self) }
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Data {
        guard cell.type == .bytea else { throw .type(cell.type, wanted: Data.self) }
        return unsafe try Data(cell.required())
    }
}
