import ClusterModel
import ClusterPorts
import PostgresDriver

/// The piece of SQL that makes events of changes of names, in the statement that makes the changes final.
///
/// `flotilla.tell` writes the event, the jobs and their ready rows. It is called only while there is an enabled webhook,
/// so that for everybody else finishing costs one look at an almost empty table.
enum EventFragments {
    /// What the row `n` of a name says of its change; for a `returning`.
    static let ofName: PostgresStatement = """
        n.operation, n.account_id, n.account_name, n.change, n.is_folder, n.path, n.subject, n.target, n.size,
        n.digest, n.node
        """

    /// Whether there are new jobs, true or false; computed once in the statement.
    ///
    /// A move has two rows. The one without a subject stands for the change, so whoever removes it, and only he, makes
    /// the event.
    ///
    /// - Parameters:
    ///   - records: of the changes; their ids are those of the operations.
    ///   - gone: a CTE with the columns of ``ofName``.
    static func tell(of records: [TransferRecord], from gone: String) -> PostgresStatement {
        let completed = records.filter { $0.status == .completed }
        return """
            case when exists (select from flotilla.webhook where enabled) then (
                select coalesce(flotilla.tell(array_agg((
                    g.operation, g.account_id, g.account_name, g.change, g.is_folder, g.path, g.target, s.shown,
                    s.shown_target, g.size, g.digest, g.node)::flotilla.name_change)), 0) > 0
                from \(unescaped: gone) g join unnest(
                    \(completed.map(\.id)), \(completed.map(\.path.description)),
                    \(completed.map { $0.target?.description })
                ) as s (operation, shown, shown_target) on s.operation = g.operation
                where g.subject is null
            ) else false end
            """
    }
}
