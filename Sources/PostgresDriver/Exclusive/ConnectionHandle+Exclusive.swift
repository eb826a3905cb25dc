import CLibPQ

/// What one caller at a time may do with a connection.
extension ConnectionHandle {
    /// Asks for the answer of the statement that was just sent one row at a time.
    func setSingleRowMode() -> Bool { unsafe PQsetSingleRowMode(self.connection) == 1 }

    /// Whether a transaction was begun; only meaningful while nothing runs.
    var isInTransaction: Bool {
        let status = unsafe PQtransactionStatus(self.connection)
        return status == PQTRANS_INTRANS || status == PQTRANS_INERROR
    }

    enum Put { case taken, full, failed }

    /// Copies bytes into libpq's buffer, as a part of the COPY.
    ///
    /// What does not leave at once leaves with the next `flush`.
    func putCopyData(_ bytes: UnsafeRawBufferPointer) -> Put {
        guard let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return .taken }
        switch self.corked({ unsafe PQputCopyData(self.connection, start, CInt(bytes.count)) }) {
        case 1: return .taken
        case 0: return .full
        default: return .failed
        }
    }

    /// Ends a COPY to the server; with an error the server stores nothing.
    ///
    /// It leaves with the next `flush`.
    func putCopyEnd(error: String?) -> Bool {
        self.corked {
            guard let error else { return unsafe PQputCopyEnd(self.connection, nil) == 1 }
            return unsafe PQputCopyEnd(self.connection, error) == 1
        }
    }

    enum CopyData { case row, needsInput, end }

    /// Appends the next row of a COPY from the server.
    func takeCopyData(into bytes: inout [UInt8]) -> CopyData {
        unsafe self.nextCopyData { unsafe bytes.append(contentsOf: $0) }
    }

    func dropCopyData() -> CopyData { unsafe self.nextCopyData { _ in } }

    private func nextCopyData(_ take: (UnsafeRawBufferPointer) -> Void) -> CopyData {
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe PQgetCopyData(self.connection, &start, 1)
        // Less than -1 is an error, of which the result that follows speaks.
        guard count != 0 else { return .needsInput }
        guard count > 0, let start = unsafe start else { return .end }
        unsafe take(UnsafeRawBufferPointer(start: start, count: Int(count)))
        unsafe PQfreemem(start)
        return .row
    }
}
