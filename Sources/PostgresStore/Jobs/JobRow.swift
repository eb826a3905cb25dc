import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// How claimed jobs and their titles are read.
enum JobRow {
    /// Of a CTE `c` with a claim and its job; thirteen columns.
    static let claimed: PostgresStatement = """
        c.job, c.epoch, c.lane, c.kind, c.account_id, c.payload, c.bytes, c.attempt, c.max_attempts, c.deadline_ms,
        p.checkpoint, c.waited, c.keyed
        """

    /// From the row of the job `j`, for a claim or what becomes one, with its rank in `rank`.
    static func columns(rank: PostgresStatement) -> PostgresStatement {
        """
        j.kind, j.account_id, j.payload, j.bytes, j.max_attempts, j.deadline_ms, j.order_key is not null as keyed,
        \(Self.waited(rank: rank)) as waited
        """
    }

    /// Microseconds since the job `j` was due: its rank is that time, less what its priority is worth.
    static func waited(rank: PostgresStatement) -> PostgresStatement {
        """
        (extract(epoch from clock_timestamp()) * 1000000)::int8 - \(rank) - (j.priority - 5) * 60000000::int8
        """
    }

    static func claimed(_ row: PostgresRow, from start: Int) throws(StoreError) -> ClaimedJob {
        var job = ClaimedJob(
            title: try Self.title(
                row.reading(column: start, as: Int64.self), row.reading(column: start + 1, as: Int64.self)),
            lane: JobLane(try row.reading(column: start + 2, as: Int64.self)),
            kind: try JobKind(job: row.reading(column: start + 3, as: String.self)),
            account: try row.reading(column: start + 4, as: UUID?.self).map { AccountID($0) },
            payload: try row.reading(column: start + 5, as: PostgresJSON.self).text,
            bytes: try row.reading(column: start + 6, as: Int64.self),
            attempt: Int(try row.reading(column: start + 7, as: Int16.self)),
            maxAttempts: Int(try row.reading(column: start + 8, as: Int16.self)),
            deadline: try row.reading(column: start + 9, as: Int64?.self).map { .milliseconds($0) },
            checkpoint: try row.reading(column: start + 10, as: PostgresJSON?.self)?.text,
            waited: .microseconds(max(0, try row.reading(column: start + 11, as: Int64.self))))
        job.isOrdered = try row.reading(column: start + 12, as: Bool.self)
        return job
    }

    static func title(_ job: Int64, _ epoch: Int64) throws(StoreError) -> JobTitle {
        guard let number = Epoch(rawValue: epoch) else { throw .corrupt("\(epoch) is no epoch") }
        return JobTitle(job: try JobID(stored: job), epoch: number)
    }
}

extension JobID {
    init(stored value: Int64) throws(StoreError) {
        guard let id = JobID(rawValue: value) else { throw .corrupt("\(value) is no number of a job") }
        self = id
    }
}

extension LeaseKind {
    /// The kind of a job.
    init(job text: String) throws(StoreError) {
        guard let kind = LeaseKind(text) else { throw .corrupt("“\(text)” is no kind of job") }
        self = kind
    }
}
