import CLibPQ

/// The only owner of a `PGresult`; clears it when nobody looks at it any more.
///
/// Libpq never changes a finished result and only reads it in the functions used here, so that any thread
/// may.
@safe
final class ResultHandle: @unchecked Sendable {
    private let result: OpaquePointer
    /// Whether the values are the server's binary form; else they are text, whatever the column's type.
    private let isBinary: Bool

    /// Takes over the result.
    init(_ result: OpaquePointer) {
        unsafe self.result = unsafe result
        self.isBinary = unsafe PQbinaryTuples(result) == 1
    }

    /// Bytes of memory that it takes.
    var size: Int { unsafe PQresultMemorySize(self.result) }

    deinit { unsafe PQclear(self.result) }

    var status: ExecStatusType { unsafe PQresultStatus(self.result) }
    var rowCount: Int { unsafe Int(PQntuples(self.result)) }
    var columnCount: Int { unsafe Int(PQnfields(self.result)) }
    /// For example `INSERT 0 3`.
    var commandTag: String { unsafe Self.string(PQcmdStatus(self.result)) ?? "" }
    var affectedRows: Int { unsafe Int(Self.string(PQcmdTuples(self.result)) ?? "") ?? 0 }
    var errorMessage: String { unsafe Self.string(PQresultErrorMessage(self.result)) ?? "" }

    func columnName(_ column: Int) -> String? { unsafe Self.string(PQfname(self.result, CInt(column))) }

    func column(named name: String) -> Int? {
        (0..<self.columnCount).first { self.columnName($0) == name }
    }

    /// Row and column must be inside; the cell must not outlive this object.
    func cell(row: Int, column: Int) -> PostgresCell {
        let (row, column) = (CInt(row), CInt(column))
        let type = self.isBinary ? unsafe PostgresType(rawValue: PQftype(self.result, column)) : .text
        guard unsafe PQgetisnull(self.result, row, column) == 0,
            let start = unsafe PQgetvalue(self.result, row, column)
        else { return unsafe PostgresCell(type: type, storage: nil) }
        let count = unsafe Int(PQgetlength(self.result, row, column))
        return unsafe PostgresCell(type: type, storage: UnsafeRawBufferPointer(start: start, count: count))
    }

    /// What the server said when it refused; nil for an error that libpq itself made up.
    var serverError: PostgresServerError? {
        guard let sqlState = self.field("C") else { return nil }
        var error = PostgresServerError(
            sqlState: SQLState(rawValue: sqlState), message: self.field("M") ?? "")
        error.detail = self.field("D")
        error.hint = self.field("H")
        error.constraint = self.field("n")
        error.schema = self.field("s")
        error.table = self.field("t")
        error.column = self.field("c")
        error.endsConnection = ["FATAL", "PANIC"].contains(self.field("V") ?? "")
        return error
    }

    /// The fields are named by letters in the protocol, and libpq's macros have the same values.
    private func field(_ letter: Character) -> String? {
        guard let code = letter.asciiValue else { return nil }
        return unsafe Self.string(PQresultErrorField(self.result, CInt(code)))
    }

    private static func string(_ text: UnsafePointer<CChar>?) -> String? {
        guard let text = unsafe text else { return nil }
        return unsafe String(cString: text)
    }
}
