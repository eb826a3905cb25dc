/// One step of the schema.
package struct Migration: Sendable {
    /// 1 for the first; no gaps.
    package let version: Int
    package let name: String
    /// Commands separated by semicolons.
    ///
    /// Must not end the transaction.
    package let script: String
    /// The oldest program that can live with the schema after this step, as its own newest version.
    package let minReaderVersion: Int

    package init(version: Int, name: String, script: String, minReaderVersion: Int) {
        self.version = version
        self.name = name
        self.script = script
        self.minReaderVersion = minReaderVersion
    }

    /// All that this program knows, in order.
    package static let known: [Migration] = [
        Migration(
            version: 1, name: "initial",
            script: String(decoding: PackageResources.V0001_initial_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 2, name: "leasing",
            script: String(decoding: PackageResources.V0002_leasing_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 3, name: "operating",
            script: String(decoding: PackageResources.V0003_operating_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 4, name: "queue",
            script: String(decoding: PackageResources.V0004_queue_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 5, name: "events",
            script: String(decoding: PackageResources.V0005_events_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 6, name: "schedules",
            script: String(decoding: PackageResources.V0006_schedules_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 7, name: "renewal",
            script: String(decoding: PackageResources.V0007_renewal_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 8, name: "partitions",
            script: String(decoding: PackageResources.V0008_partitions_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 9, name: "shard news",
            script: String(decoding: PackageResources.V0009_shard_news_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 10, name: "uploads",
            script: String(decoding: PackageResources.V0010_uploads_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 11, name: "uploads together",
            script: String(decoding: PackageResources.V0011_uploads_together_sql, as: UTF8.self),
            minReaderVersion: 1),
        Migration(
            version: 12, name: "quotas",
            script: String(decoding: PackageResources.V0012_quotas_sql, as: UTF8.self),
            minReaderVersion: 1),
    ]

    /// The newest schema that this program knows.
    package static var newest: Int { Self.known.last?.version ?? 0 }
}
