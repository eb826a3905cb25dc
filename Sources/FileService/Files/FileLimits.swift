/// The bounds of the file service; each has a default that suits a node of two cores.
package struct FileLimits: Sendable, Hashable {
    /// Uploads that a node receives at a time; one more is ``FileServiceError/tooBusy(retryAfterSeconds:)``.
    package var openUploads = 1_024
    /// Folders that a node copies at a time, and those that it sends as archives: each holds open a folder for each level.
    package var openCopies = 8
    package var openArchives = 16
    /// Files and folders in one copy of a folder, and folders within each other.
    package var copiedEntries = 100_000
    package var copiedDepth = 128
    /// The largest file that is read for its digest alone, in bytes.
    package var digestedBytes: Int64 = 16 << 20
    /// The largest piece read from a file at once, in bytes.
    package var readBytes = 1 << 20
    /// Decisions in one statement.
    package var decisionBatch = 100
    /// Decisions that wait for the statement in flight.
    package var decisionQueue = 2_048
    /// Changes of names that a node performs at a time, or that wait to begin.
    package var changes = 2_048
    /// How long a change waits for another one of the same name or of a folder above.
    package var conflictPatience: Duration = .seconds(2)
    /// How long an upload goes on into staging while the node is isolated.
    package var isolationPatience: Duration = .seconds(10)
    /// Records in one statement of the transfer log.
    package var logBatch = 500
    /// How long records are gathered for one statement while many come: what a killed node may leave unwritten of downloads,
    /// and how long a published name stays in the table of unfinished changes.
    package var logPace: Duration = .milliseconds(25)
    /// Records that wait to be written; then whoever adds one waits too.
    package var logQueue = 4_096
    /// How long the transfer log may take to write what it has when the node stops.
    package var logDrain: Duration = .seconds(5)
    /// How long downloads that run when the node stops may take to end, for their ends to be logged.
    ///
    /// Those that take longer are sent to their end all the same; their record says that the node left.
    package var downloadsDrain: Duration = .seconds(2)
    /// A transfer that runs longer is listed while it runs.
    package var listedAfter: Duration = .seconds(1)
    /// What requests left behind and is to be tried again.
    package var leftovers = 10_000

    /// Accounts with a quota that a node remembers as such.
    package var meteredAccounts = 10_000
    /// Entries of a folder that are counted before it is removed; a larger one is counted afterwards.
    package var countedEntries = 20_000
    /// Bytes of an upload after which the room for it is looked up again.
    package var roomBytes: Int64 = 8 << 20

    package init() {}
}
