/// One field of one row, in the server's binary form.
///
/// The bytes belong to the result: a cell must not outlive the call that it was given to.
@safe
package struct PostgresCell {
    package let type: PostgresType
    private let storage: UnsafeRawBufferPointer?

    init(type: PostgresType, storage: UnsafeRawBufferPointer?) {
        self.type = type
        unsafe self.storage = unsafe storage
    }

    package var isNull: Bool { unsafe self.storage == nil }

    package func bytes() throws(PostgresCellFault) -> [UInt8] {
        unsafe try [UInt8](self.required())
    }

    package func text() throws(PostgresCellFault) -> String {
        unsafe try String(decoding: self.required(), as: UTF8.self)
    }

    /// The bytes from an offset on, as text.
    func text(from offset: Int) throws(PostgresCellFault) -> String {
        unsafe try String(decoding: self.required().dropFirst(offset), as: UTF8.self)
    }

    /// The whole cell as one integer of exactly its size.
    package func integer<T: FixedWidthInteger>(as type: T.Type) throws(PostgresCellFault) -> T {
        let bytes = try unsafe self.required()
        guard bytes.count == MemoryLayout<T>.size else {
            throw PostgresCellFault("\(bytes.count) bytes are no \(type)")
        }
        return unsafe T(bigEndian: bytes.loadUnaligned(as: type))
    }

    func required() throws(PostgresCellFault) -> UnsafeRawBufferPointer {
        guard let storage = unsafe self.storage else { throw PostgresCellFault("it is NULL") }
        return unsafe storage
    }
}

/// Walks over the bytes of a cell that holds several values.
@safe
struct PostgresCellReader {
    private var rest: Slice<UnsafeRawBufferPointer>

    init(_ cell: PostgresCell) throws(PostgresCellFault) {
        unsafe self.rest = unsafe try cell.required()[...]
    }

    mutating func integer<T: FixedWidthInteger>(as type: T.Type) throws(PostgresCellFault) -> T {
        let bytes = unsafe try self.take(MemoryLayout<T>.size)
        return unsafe T(bigEndian: bytes.loadUnaligned(as: type))
    }

    /// A value with its length before it; a negative length is NULL.
    mutating func cell(type: PostgresType) throws(PostgresCellFault) -> PostgresCell {
        let length = try self.integer(as: Int32.self)
        guard length >= 0 else { return unsafe PostgresCell(type: type, storage: nil) }
        return unsafe PostgresCell(type: type, storage: try self.take(Int(length)))
    }

    private mutating func take(_ count: Int) throws(PostgresCellFault) -> UnsafeRawBufferPointer {
        guard unsafe self.rest.count >= count else { throw PostgresCellFault("it ends too early") }
        defer { unsafe self.rest = unsafe self.rest.dropFirst(count) }
        return unsafe UnsafeRawBufferPointer(rebasing: self.rest.prefix(count))
    }
}
