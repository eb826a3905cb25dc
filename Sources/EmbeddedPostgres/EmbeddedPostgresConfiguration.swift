import Foundation

/// Where the private PostgreSQL lives and as whom it runs.
package struct EmbeddedPostgresConfiguration: Sendable, Equatable {
    /// Flotilla's data folder; the server uses `postgres/` below it.
    package var data: String
    /// The system user of the server; needed when root starts it, otherwise nil or the own name.
    package var user: String?
    /// A folder of the user's own for sockets, tried when the one in `data` is too long for a socket's
    /// address.
    package var runtimeFolder: String?
    /// Folders in which programs are looked up when Debian's are not there, separated by colons.
    package var searchPath: String
    /// How long one start may take, recovery after a crash included.
    package var readyWithin: Duration
    /// How long open sessions get to end before the server is told to leave at once.
    package var stopWithin: Duration
    /// The log is cut at this size; one older file of the same size is kept beside it.
    package var logBytesMax: Int

    package init(
        data: String, user: String? = nil,
        runtimeFolder: String? = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"],
        searchPath: String = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
        readyWithin: Duration = .seconds(300), stopWithin: Duration = .seconds(20),
        logBytesMax: Int = 16 << 20
    ) {
        self.data = data
        self.user = user
        self.runtimeFolder = runtimeFolder
        self.searchPath = searchPath
        self.readyWithin = readyWithin
        self.stopWithin = stopWithin
        self.logBytesMax = logBytesMax
    }
}
