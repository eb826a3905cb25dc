import ClusterModel

/// One step of `SchemaMigrator`: a compare-and-set on the schema's version.
final class MigrateStatement: Statement {
    let from: Int
    let minReaderVersion: Int
    private(set) var migrated = false

    init(from: Int, minReaderVersion: Int) {
        self.from = from
        self.minReaderVersion = minReaderVersion
    }

    override var title: String { "migrate the schema" }

    override func advance(_ database: Database) -> Advance {
        guard database.tables.cluster.schemaVersion == self.from else { return .committed }
        if self.stage == 0 {
            guard self.lock(.cluster, .noKeyUpdate, in: database) else { return .wait }
            self.stage = 1
            return .more
        }
        database.tables.cluster.schemaVersion = self.from + 1
        database.tables.cluster.minReaderVersion = max(
            database.tables.cluster.minReaderVersion, self.minReaderVersion)
        database.synced()
        self.migrated = true
        database.judge?.migrated(to: self.from + 1, readers: self.minReaderVersion)
        return .committed
    }
}
