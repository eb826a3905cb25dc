/// A value that can be a statement's parameter.
package protocol PostgresEncodable: Sendable {
    /// The type that the parameter is declared with; a column of another one may need a cast in the SQL.
    static var postgresType: PostgresType { get }
    /// NULL has no bytes: then `encode` is not called.
    var isPostgresNull: Bool { get }
    /// Appends the binary form.
    func encode(into writer: inout PostgresWriter)
}

extension PostgresEncodable {
    package var isPostgresNull: Bool { false }
}

/// A value that can be read from a column.
package protocol PostgresDecodable {
    static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Self
}

/// A single value that can also be an element of an array.
package protocol PostgresScalar: PostgresEncodable, PostgresDecodable, PostgresArrayElement {}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package static var postgresType: PostgresType { Wrapped.postgresType }
    package var isPostgresNull: Bool { self?.isPostgresNull ?? true }
    package func encode(into writer: inout PostgresWriter) { self?.encode(into: &writer) }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func decode(_ cell: PostgresCell) throws(PostgresCellFault) -> Wrapped? {
        cell.isNull ? nil : try Wrapped.decode(cell)
    }
}

/// Collects the binary form of parameters, in network byte order.
package struct PostgresWriter: Sendable {
    package internal(set) var bytes: [UInt8] = []

    package mutating func write<T: FixedWidthInteger>(_ integer: T) {
        unsafe withUnsafeBytes(of: integer.bigEndian) { unsafe self.bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ bytes: some Collection<UInt8>) {
        self.bytes.append(contentsOf: bytes)
    }

    /// Writes a length of four bytes and then what `body` writes; -1 where `isNull`.
    mutating func writeCounted(isNull: Bool, _ body: (inout PostgresWriter) -> Void) {
        guard !isNull else { return self.write(Int32(-1)) }
        let start = self.bytes.count
        self.write(Int32(0))
        body(&self)
        let length = UInt32(truncatingIfNeeded: self.bytes.count - start - 4).bigEndian
        unsafe self.bytes.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: length, toByteOffset: start, as: UInt32.self)
        }
    }
}

/// Why a column could not be read as the type that was asked for.
package struct PostgresCellFault: Error, Sendable, Equatable {
    package let reason: String
    package init(_ reason: String) { self.reason = reason }

    static func type(_ found: PostgresType, wanted: Any.Type) -> PostgresCellFault {
        PostgresCellFault("type \(found.rawValue) cannot be read as \(wanted)")
    }
}
