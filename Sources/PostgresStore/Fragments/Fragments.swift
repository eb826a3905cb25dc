import ClusterModel
import ClusterPorts
import PostgresDriver

import struct Foundation.UUID

/// Pieces of SQL that several statements share.
enum Fragments {
    /// Rule R3: the row of the member who acts, locked, if it lives.
    ///
    /// Everything else in the statement asks `exists (select from me)`, so it comes after the lock. Whoever
    /// kills the member locks the row `for update` first and waits until the statement has committed.
    static func me(_ right: NodeRight) -> PostgresStatement {
        """
        me as materialized (
            select incarnation from flotilla.member
            where slot = \(right.slot.rawValue) and incarnation = \(right.incarnation.rawValue)
              and status in ('active', 'draining')
            for key share
        )
        """
    }

    /// Rule R3 for what a job does: ``me(_:)`` has a row only while its claim holds too, locked like the member.
    ///
    /// Whoever ends the claim, sweeps it or takes it away deletes its row, and waits until the statement has committed; so
    /// whoever claims the job afterwards sees what was decided. Nothing has a row either when one of the operations has
    /// ended: an id that is used again by each run of the job is decided once. Nor when one of the accounts is disabled, by
    /// the statement's snapshot: one that is disabled from then on comes after the decision.
    static func me(
        _ right: NodeRight, holding title: JobTitle, for operations: [UUID], enabled accounts: [AccountID]
    ) -> PostgresStatement {
        """
        living as materialized (
            select incarnation from flotilla.member
            where slot = \(right.slot.rawValue) and incarnation = \(right.incarnation.rawValue)
              and status in ('active', 'draining')
            for key share
        ), me as materialized (
            select c.incarnation from flotilla.claim c
            where c.incarnation = \(right.incarnation.rawValue) and c.job = \(title.job.rawValue)
              and c.epoch = \(title.epoch.rawValue) and exists (select from living)
              and not exists (
                  select from flotilla.transfer t where t.id = any (\(operations)) and t.status <> 'running')
              and not exists (
                  select from flotilla.account a
                  where a.id = any (\(accounts.map(\.rawValue))) and not a.enabled)
            for key share
        )
        """
    }

    /// A leader's guard: `leader` has a row if the one who acts (``me(_:)``) has this term.
    ///
    /// Share-locked until the statement has committed, so that a write of the next leader is never followed by one
    /// of this. The cluster's row is locked last: everything else that the statement locks has to be locked in
    /// `after`, a CTE that comes before.
    static func leader(_ leader: LeaderRight, after: String) -> PostgresStatement {
        """
        leader as materialized (
            select leader_term from flotilla.cluster
            where leader_incarnation = \(leader.right.incarnation.rawValue) and leader_term = \(leader.term)
              and exists (select from me) and (select count(*) from \(unescaped: after)) >= 0
            for share
        )
        """
    }

    /// Whether a CTE has rows, asked by whoever locks the cluster's row next: reads it to its end, so every row that it
    /// locks is locked before.
    ///
    /// A materialized CTE is read only as far as somebody asks. `exists` reads its first row, and the others would be locked
    /// after the cluster's row, against the order of everybody else: two such statements wait in a circle. For one
    /// row, or a CTE that locks nothing, `exists` is as good.
    static func all(of source: String) -> PostgresStatement {
        "(select count(*) from \(unescaped: source)) > 0"
    }

    /// The incarnations that hold rows of a table and are not live, as the CTE `dead`; after ``me(_:)``.
    ///
    /// For a statement that begins with `with recursive`. Holders are read off the table's index by incarnation, one step
    /// each, so that what the living hold costs nothing.
    static func deadHolders(in table: String) -> PostgresStatement {
        """
        holder (incarnation) as (
            (select r.incarnation from flotilla.\(unescaped: table) r order by r.incarnation limit 1)
            union all
            select (
                select r.incarnation from flotilla.\(unescaped: table) r where r.incarnation > h.incarnation
                order by r.incarnation limit 1)
            from holder h where h.incarnation is not null
        ), dead as materialized (
            select h.incarnation from holder h
            where h.incarnation is not null and exists (select from me) and not exists (
                select from flotilla.member m where m.incarnation = h.incarnation and m.status <> 'dead')
        )
        """
    }

    /// Makes the next view if `source` has rows: CTEs for the version, its history, and the history's end.
    ///
    /// - Parameter source: a CTE with `slot`, `name`, `incarnation` and `reason`.
    static func nextView(from source: String) -> PostgresStatement {
        """
        bumped as (
            update flotilla.cluster set view_version = view_version + 1
            where \(Self.all(of: source))
            returning view_version
        ), \(Self.noteView(from: source))
        """
    }

    /// The history of a view that the CTE `bumped` has made; for whoever changes more of the cluster's row with it.
    ///
    /// - Parameter more: SQL for a `jsonb` over `b`, the row of `bumped`, that the feed's entry says besides.
    static func noteView(from source: String, more: PostgresStatement = "'{}'::jsonb") -> PostgresStatement {
        """
        noted as (
            insert into flotilla.view_history (view_version, reason, slot, name, incarnation)
            select b.view_version, s.reason, s.slot, s.name, s.incarnation
            from bumped b, \(unescaped: source) s limit 1
        ), fed as (
            insert into flotilla.feed (topic, change, subject, detail)
            select 'membership', s.reason, s.name, jsonb_build_object(
                'view_version', b.view_version, 'slot', s.slot, 'incarnation', s.incarnation) || \(more)
            from bumped b, \(unescaped: source) s
        ), forgotten as (
            delete from flotilla.view_history h using bumped b where h.view_version <= b.view_version - 10000
        )
        """
    }

    /// Empties the feed of what a restore brought from another server, if `condition` holds.
    ///
    /// Rows are ordered by transactions, and a new server counts them anew: such rows would stay unseen until it has
    /// come so far, and then appear behind what was read. Nothing that a snapshot shows is its own and as young.
    static func feedWithoutStrangers(if condition: String) -> PostgresStatement {
        """
        strangers as (
            delete from flotilla.feed
            where xid >= pg_snapshot_xmax(pg_current_snapshot()) and \(unescaped: condition)
        )
        """
    }

    /// Makes the next configuration version if `source` has rows.
    static func nextConfiguration(ifAny source: String) -> PostgresStatement {
        """
        bumped as (
            update flotilla.cluster set config_version = config_version + 1
            where \(Self.all(of: source))
            returning config_version
        )
        """
    }

    /// Notes what the version from `bumped` makes void, as the CTE `voided` with `kinds` and `subjects` says
    /// it.
    static let noteConfiguration: PostgresStatement = """
        noted as (
            insert into flotilla.config_change (version, kinds, subjects)
            select b.config_version, v.kinds, v.subjects from bumped b, voided v
        ), forgotten as (
            delete from flotilla.config_change c using bumped b where c.version <= b.config_version - 10000
        )
        """

    /// Whether a path is a folder or lies below it, both SQL for a `bytea`.
    static func within(_ path: PostgresStatement, _ folder: PostgresStatement) -> PostgresStatement {
        """
        (octet_length(\(folder)) = 0 or \(path) = \(folder)
         or substr(\(path), 1, octet_length(\(folder)) + 1) = \(folder) || '\\x2f'::bytea)
        """
    }

    /// Whether another operation moves or removes a folder of the home `h` that a path lies in.
    static func isBusy(_ path: PostgresStatement, for operation: PostgresStatement) -> PostgresStatement {
        """
        (cardinality(h.busy) > 0 and exists (
            select from unnest(h.busy, h.busy_operation) as b (folder, operation)
            where b.operation <> \(operation) and \(Self.within(path, "b.folder"))))
        """
    }

    /// Notes which rights were taken from the living, from a CTE with `kind`, `id`, `epoch` and `incarnation`.
    ///
    /// The lock on the holder's row orders those who count its losses, so the numbers have no gap.
    static func told(_ source: String = "gone", reason: String) -> PostgresStatement {
        """
        counted as (
            update flotilla.member m set lease_losses = m.lease_losses + g.count
            from (select incarnation, count(*) as count from \(unescaped: source) group by incarnation) g
            where m.incarnation = g.incarnation and m.status <> 'dead'
            returning m.incarnation, m.lease_losses
        ), told as (
            insert into flotilla.lease_loss (incarnation, number, kind, id, epoch, reason)
            select g.incarnation,
                   c.lease_losses + 1 - row_number() over (partition by g.incarnation order by g.epoch desc),
                   g.kind, g.id, g.epoch, \(reason)
            from \(unescaped: source) g join counted c on c.incarnation = g.incarnation
        )
        """
    }

    /// The number of the database's timeline: the first eight digits of the current log file's name.
    static let timeline: PostgresStatement =
        "('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint"

    static func interval(_ duration: Duration) -> PostgresStatement {
        "(\(duration.wholeNanoseconds / 1_000) * interval '1 microsecond')"
    }
}
