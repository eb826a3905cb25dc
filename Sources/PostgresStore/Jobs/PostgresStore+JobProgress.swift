package import ClusterModel
package import ClusterPorts
import PostgresDriver

extension PostgresStore {
    /// The claim's row is locked, so whoever ends or sweeps it waits: nothing is noted after the right was lost.
    package func note(
        _ progress: JobProgress, of title: JobTitle, by right: NodeRight
    ) async throws(StoreError) -> Bool {
        if let checkpoint = progress.checkpoint, checkpoint.utf8.count > JobSpec.payloadLimit {
            throw .refused(
                sqlState: "22023",
                message:
                    "a checkpoint of \(checkpoint.utf8.count) bytes; \(JobSpec.payloadLimit) are the most")
        }
        let row = try await self.queueRow(
            """
            with \(Fragments.me(right)), held as materialized (
                select c.job, c.epoch from flotilla.claim c
                where c.incarnation = \(right.incarnation.rawValue) and c.job = \(title.job.rawValue)
                  and c.epoch = \(title.epoch.rawValue) and exists (select from me)
                for share
            ), noted as (
                insert into flotilla.job_progress as p (job, epoch, fraction, note, checkpoint)
                select h.job, h.epoch, \(progress.fraction.map { min(max($0, 0), 1) })::float8,
                       \(progress.note.map { String($0.prefix(500)).replacing("\0", with: "") })::text,
                       \(progress.checkpoint.map { PostgresJSON($0) })
                from held h
                on conflict (job) do update
                set epoch = excluded.epoch, fraction = excluded.fraction, note = excluded.note,
                    checkpoint = coalesce(excluded.checkpoint, p.checkpoint), at = clock_timestamp()
            )
            select exists (select from held)
            """)
        return try row.reading(Bool.self)
    }
}
