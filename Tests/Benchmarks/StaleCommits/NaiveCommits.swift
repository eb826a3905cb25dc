import ClusterModel
import ClusterPorts
import PostgresDriver

/// The mistakes that the load has to notice: a load that could not find them would show nothing.
enum NaiveCommits {
    /// Checks the lease, and not that its holder lives.
    static func end(_ title: LeaseTitle, on pool: PostgresPool) async throws -> Bool {
        let rows = try await pool.query(
            """
            delete from flotilla.lease
            where kind = \(title.subject.kind.description) and id = \(title.subject.id)
              and epoch = \(title.epoch.rawValue)
            returning 1
            """)
        return !rows.isEmpty
    }

    /// Looks at its own row without locking it: whoever dies between the look and the commit writes after its death.
    ///
    /// It is slow, so that this happens often.
    static func acquire(_ request: LeaseRequest, by right: NodeRight, on pool: PostgresPool) async throws
        -> Bool
    {
        let rows = try await pool.query(
            """
            insert into flotilla.lease (kind, id, epoch, slot, incarnation)
            select \(request.subject.kind.description), \(request.subject.id), nextval('flotilla.epoch'),
                   \(right.slot.rawValue), m.incarnation
            from flotilla.member m cross join pg_sleep(0.003)
            where m.slot = \(right.slot.rawValue) and m.incarnation = \(right.incarnation.rawValue)
              and m.status <> 'dead'
            returning 1
            """)
        return !rows.isEmpty
    }
}
