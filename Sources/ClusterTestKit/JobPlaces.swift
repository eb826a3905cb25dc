package import PostgresDriver

/// What always holds of the tables of the queue (docs/QUEUE.md), whatever came before; for tests and chaos runs.
package enum JobPlaces {
    /// What is wrong, a line each with the numbers of some jobs or keys; empty when all is well.
    package static func faults(_ pool: PostgresPool) async throws -> [String] {
        var faults: [String] = []
        for (name, query) in Self.checks {
            let rows = try await pool.query(
                PostgresStatement(
                    unescaped:
                        "select coalesce((array_agg(x::text order by x))[1:5], '{}') from (\(query)) q (x)"))
            let found = try rows.exactlyOne()[0, as: [String].self]
            if !found.isEmpty { faults.append("\(name): \(found.joined(separator: ", "))") }
        }
        return faults
    }

    private static let places = """
        select job, 'ready' as place from flotilla.ready union all select job, 'later' from flotilla.later
        union all select job, 'waiting' from flotilla.waiting union all select job, 'claim' from flotilla.claim
        union all select job, 'outcome' from flotilla.outcome
        """

    private static let checks: [(String, String)] = [
        (
            "in no place (L1)",
            "select id from flotilla.job where id not in (select job from (\(Self.places)) p)"
        ),
        ("in several places (L1)", "select job from (\(Self.places)) p group by job having count(*) > 1"),
        (
            "a place without a job (L1)",
            "select job from (\(Self.places)) p where job not in (select id from flotilla.job)"
        ),
        (
            "a limit is exceeded (L5)",
            """
            select p.scope from flotilla.job_policy p where p.settled and p.slots < (
                select count(*) from flotilla.claim_slot s join flotilla.claim c
                  on c.incarnation = s.incarnation and c.job = s.job and c.epoch = s.epoch
                where s.scope = p.scope and s.slot <= p.slots)
            """
        ),
        (
            "claimed under a limit, without a slot (L5)",
            """
            select c.job from flotilla.claim c join flotilla.job j on j.id = c.job
            join flotilla.job_policy p on p.settled and p.slots is not null
             and p.scope in ('kind:' || j.kind, 'account:' || j.account_id)
            where not exists (
                select from flotilla.claim_slot s
                where s.scope = p.scope and s.job = c.job and s.epoch = c.epoch and s.incarnation = c.incarnation)
            """
        ),
        (
            "two of a key beyond waiting (L5)",
            """
            select j.order_key from flotilla.job j join (\(Self.places)) p on p.job = j.id
            where j.order_key is not null and p.place in ('ready', 'later', 'claim')
            group by j.order_key having count(*) > 1
            """
        ),
        (
            "beyond waiting, and not the head of its key (L5)",
            """
            select j.id from flotilla.job j join (\(Self.places)) p on p.job = j.id
            left join flotilla.job_key k on k.order_key = j.order_key
            where j.order_key is not null and p.place in ('ready', 'later', 'claim')
              and (k.order_key is null or k.head <> j.ticket or k.passed <> j.ticket)
            """
        ),
        (
            "a key that waits, and that nobody would let go on (L7)",
            """
            select k.order_key from flotilla.job_key k
            where exists (select from flotilla.waiting w where w.order_key = k.order_key)
              and not (k.passed < k.head and k.head < k.tail)
              and not exists (
                  select from flotilla.job j join (\(Self.places)) p on p.job = j.id
                  where j.order_key = k.order_key and j.ticket = k.head and p.place in ('ready', 'later', 'claim'))
            """
        ),
    ]
}
