import CLibPQ

/// What somebody told a channel by NOTIFY, after their transaction had committed.
package struct PostgresNotification: Sendable, Equatable {
    package var channel: String
    /// At most 8000 bytes; empty when there was none.
    package var payload: String
    /// The server's process of the session that notified.
    package var backendID: Int32

    package init(channel: String, payload: String, backendID: Int32) {
        self.channel = channel
        self.payload = payload
        self.backendID = backendID
    }

    init(_ notification: PGnotify) {
        self.channel = unsafe notification.relname.map { unsafe String(cString: $0) } ?? ""
        self.payload = unsafe notification.extra.map { unsafe String(cString: $0) } ?? ""
        self.backendID = unsafe notification.be_pid
    }
}
