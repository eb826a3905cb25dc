/// What a statement brought: its rows, and how many it touched.
///
/// The rows stay in the memory in which libpq put them and are decoded only when asked for, on the asking
/// task.
package struct PostgresRows: Sendable, RandomAccessCollection {
    let result: ResultHandle
    package let count: Int

    init(_ result: ResultHandle) {
        self.result = result
        self.count = result.rowCount
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { self.count }

    package subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < self.count, "row \(position) of \(self.count)")
        return PostgresRow(result: self.result, row: position)
    }

    /// Rows inserted, updated, deleted or selected; 0 for statements that touch none.
    package var affectedRows: Int { self.result.affectedRows }

    /// What the server says it did, for example `INSERT 0 3`.
    package var commandTag: String { self.result.commandTag }

    /// The only row; an error when there are none or more.
    package func exactlyOne() throws(PostgresError) -> PostgresRow {
        guard self.count == 1 else { throw .unreadable("\(self.count) rows where one was expected") }
        return self[0]
    }
}

/// One row of an answer.
package struct PostgresRow: Sendable {
    let result: ResultHandle
    let row: Int

    package var columnCount: Int { self.result.columnCount }

    /// One column, counted from 0: `try row[0, as: Int64.self]`.
    ///
    /// - Throws: `unreadable`, naming the column, when it is NULL, of another type or out of range.
    package subscript<Value: PostgresDecodable>(column: Int, as type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard column >= 0, column < self.columnCount else {
                throw .unreadable("column \(column) of \(self.columnCount)")
            }
            do throws(PostgresCellFault) {
                return try Value.decode(self.result.cell(row: self.row, column: column))
            } catch {
                let name = self.result.columnName(column) ?? ""
                throw .unreadable("column \(column) (\(name)): \(error.reason)")
            }
        }
    }

    /// One column by its name; looks through the names, so prefer the number in long results.
    package subscript<Value: PostgresDecodable>(name: String, as type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard let column = self.result.column(named: name) else { throw .unreadable("no column \(name)") }
            return try self[column, as: type]
        }
    }

    /// All columns, in order: `let (id, name) = try row.decode(Int64.self, String?.self)`.
    package func decode<each Value: PostgresDecodable>(
        _ types: repeat (each Value).Type
    ) throws(PostgresError) -> (repeat each Value) {
        var column = 0
        func next<One: PostgresDecodable>(_ type: One.Type) throws(PostgresError) -> One {
            defer { column += 1 }
            return try self[column, as: type]
        }
        let values = (repeat try next((each Value).self))
        guard column == self.columnCount else {
            throw .unreadable("\(self.columnCount) columns where \(column) were expected")
        }
        return values
    }
}
