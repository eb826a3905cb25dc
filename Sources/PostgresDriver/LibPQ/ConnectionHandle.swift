import CLibPQ
import CSendCork
import Glibc

/// The only owner of a `PGconn`; finishes it when nobody holds it any more.
///
/// It may move between threads but is used by one at a time: by the thread that starts it, then by the loop
/// or by the blocking connection that it belongs to.
@safe
final class ConnectionHandle: @unchecked Sendable {
    let connection: OpaquePointer
    /// What was sent in pipeline mode and waits for `flush`; nil before, and where memory is short.
    private var cork: OpaquePointer?
    /// More than most turns collect, and little enough for thousands of connections.
    private static let corkCapacity = 32 * 1024
    /// Called with each notice of the server, on the thread that reads.
    var onNotice: ((String) -> Void)?
    /// Called with each notification of a channel that the session listens to, on the thread that reads.
    var onNotification: ((PostgresNotification) -> Void)?

    /// Begins to connect; resolves names in place, so it may block for as long as the resolver likes.
    ///
    /// - Returns: nil when the process has no memory left.
    static func start(_ settings: [ConnectionSetting]) -> ConnectionHandle? {
        let names = unsafe settings.map { unsafe strdup($0.name) } + [nil]
        let values = unsafe settings.map { unsafe strdup($0.value) } + [nil]
        defer {
            for index in settings.indices {
                unsafe free(names[index])
                unsafe free(values[index])
            }
        }
        let nameList = unsafe names.map { unsafe UnsafePointer($0) }
        let valueList = unsafe values.map { unsafe UnsafePointer($0) }
        guard let connection = unsafe PQconnectStartParams(nameList, valueList, 0) else { return nil }
        return unsafe ConnectionHandle(connection)
    }

    private init(_ connection: OpaquePointer) {
        unsafe self.connection = unsafe connection
        unsafe PQsetNoticeProcessor(
            connection,
            { handle, message in
                guard let handle = unsafe handle, let message = unsafe message else { return }
                let owner = unsafe Unmanaged<ConnectionHandle>.fromOpaque(handle).takeUnretainedValue()
                unsafe owner.onNotice?(String(cString: message).trimmed)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        unsafe PQfinish(self.connection)
        unsafe flotilla_cork_destroy(self.cork)
    }

    // MARK: State

    var isBad: Bool { unsafe PQstatus(self.connection) == CONNECTION_BAD }
    var socket: CInt { unsafe PQsocket(self.connection) }
    var backendID: Int32 { unsafe PQbackendPID(self.connection) }
    var errorMessage: String {
        guard let text = unsafe PQerrorMessage(self.connection) else { return "" }
        return unsafe String(cString: text).trimmed
    }

    /// What libpq put together from string, environment and files.
    var settings: [String: String] {
        guard let options = unsafe PQconninfo(self.connection) else { return [:] }
        defer { unsafe PQconninfoFree(options) }
        return unsafe Self.dictionary(options)
    }

    /// The keywords that have a value.
    static func dictionary(_ options: UnsafeMutablePointer<PQconninfoOption>) -> [String: String] {
        var settings: [String: String] = [:]
        var option = unsafe options
        while let name = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe settings[String(cString: name)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        return settings
    }

    func poll() -> PostgresPollingStatusType { unsafe PQconnectPoll(self.connection) }
    func setNonblocking() -> Bool { unsafe PQsetnonblocking(self.connection, 1) == 0 }
    /// From here on what is sent waits for `flush`.
    func enterPipeline() -> Bool {
        guard unsafe PQenterPipelineMode(self.connection) == 1 else { return false }
        if unsafe self.cork == nil {
            unsafe self.cork = unsafe flotilla_cork_create(self.socket, Self.corkCapacity)
        }
        return true
    }
    func exitPipeline() -> Bool { self.corked { unsafe PQexitPipelineMode(self.connection) == 1 } }

    // MARK: Receiving

    /// Held by the cork, because libpq also sends here what did not fit before.
    func consumeInput() -> Bool { self.corked { unsafe PQconsumeInput(self.connection) == 1 } }
    var isBusy: Bool { unsafe PQisBusy(self.connection) == 1 }

    enum Arrival {
        case result(ResultHandle)
        /// The server is done with everything up to a sync.
        case sync
        case nothing
    }

    /// Only when the connection is not busy: else libpq would wait.
    func nextArrival() -> Arrival {
        guard let result = unsafe PQgetResult(self.connection) else { return .nothing }
        guard unsafe PQresultStatus(result) == PGRES_PIPELINE_SYNC else {
            return unsafe .result(ResultHandle(result))
        }
        unsafe PQclear(result)
        return .sync
    }

    func nextResult() -> ResultHandle? {
        guard let result = unsafe PQgetResult(self.connection) else { return nil }
        return unsafe ResultHandle(result)
    }

    /// Hands over what was notified, or throws it away; without it libpq would keep it all.
    func dropNotifications() {
        while let notification = unsafe PQnotifies(self.connection) {
            if let onNotification = self.onNotification {
                unsafe onNotification(PostgresNotification(notification.pointee))
            }
            unsafe PQfreemem(notification)
        }
    }

    // MARK: Sending

    enum Flushed { case everything, partly, failed }

    /// Whether something waits in the cork for `flush`.
    var hasCollected: Bool {
        guard let cork = unsafe self.cork else { return false }
        return unsafe !flotilla_cork_is_empty(cork)
    }

    /// Sends what the cork has collected, and then what did not fit into it.
    func flush() -> Flushed {
        // Libpq closes the socket where reading fails, and by now its number may be somebody else's.
        if self.isBad { return .failed }
        if let cork = unsafe self.cork {
            switch unsafe flotilla_cork_flush(cork) {
            case 0: break
            case 1: return .partly
            default: return .failed
            }
        }
        return switch unsafe PQflush(self.connection) {
        case 0: .everything
        case 1: .partly
        default: .failed
        }
    }

    /// Several commands at once, in the simple protocol; not in pipeline mode.
    func send(script: String) -> Bool { self.corked { unsafe PQsendQuery(self.connection, script) == 1 } }

    func sendSync() -> Bool { self.corked { unsafe PQpipelineSync(self.connection) == 1 } }

    /// Around every call of libpq that may send: what does not hold the cork would overtake what is in it.
    func corked<Answer>(_ body: () -> Answer) -> Answer {
        let before = unsafe flotilla_cork_hold(self.cork)
        defer { unsafe flotilla_cork_release(before) }
        return body()
    }

    func sendPrepare(name: String, _ statement: PostgresStatement) -> Bool {
        let types = statement.parameters.entries.map { Oid($0.type.rawValue) }
        return self.corked {
            unsafe PQsendPrepare(self.connection, name, statement.sql, CInt(types.count), types) == 1
        }
    }

    /// Executes what was prepared under the name, or parses the SQL anew where there is none.
    func send(_ statement: PostgresStatement, preparedAs name: String?) -> Bool {
        let parameters = statement.parameters
        let count = parameters.count
        return unsafe parameters.withPointers { values, lengths, formats in
            if let name {
                return self.corked {
                    unsafe PQsendQueryPrepared(
                        self.connection, name, CInt(count), values, lengths, formats,
                        statement.resultFormat) == 1
                }
            }
            let types = parameters.entries.map { Oid($0.type.rawValue) }
            return self.corked {
                unsafe PQsendQueryParams(
                    self.connection, statement.sql, CInt(count), types, values, lengths, formats,
                    statement.resultFormat) == 1
            }
        }
    }
}

extension PostgresParameters {
    /// Lends the three lists that libpq wants: values, lengths and formats (binary, all of them).
    fileprivate func withPointers<Answer>(
        _ body: (UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?) -> Answer
    ) -> Answer {
        guard self.count > 0 else { return body(nil, nil, nil) }
        return unsafe self.bytes.withUnsafeBytes { bytes in
            // Libpq takes a nil pointer for NULL, so an empty value needs one that is not.
            let start =
                unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) ?? UnsafePointer(bitPattern: 1)
            return unsafe withUnsafeTemporaryAllocation(
                of: UnsafePointer<CChar>?.self, capacity: self.count
            ) { values in
                unsafe withUnsafeTemporaryAllocation(of: CInt.self, capacity: 2 * self.count) { numbers in
                    var offset = 0
                    for (index, entry) in self.entries.enumerated() {
                        let value = unsafe entry.length < 0 ? nil : start.map { unsafe $0 + offset }
                        unsafe values.initializeElement(at: index, to: value)
                        unsafe numbers.initializeElement(at: index, to: max(entry.length, 0))
                        unsafe numbers.initializeElement(at: self.count + index, to: 1)
                        offset += Int(max(entry.length, 0))
                    }
                    let lengths = unsafe UnsafePointer(numbers.baseAddress)
                    return unsafe body(values.baseAddress, lengths, lengths.map { unsafe $0 + self.count })
                }
            }
        }
    }
}

extension String {
    /// Libpq ends its messages with a line break, and puts several into one.
    var trimmed: String {
        self.split(separator: "\n").map { $0.drop { $0 == "\t" || $0 == " " } }.joined(separator: "; ")
    }
}
