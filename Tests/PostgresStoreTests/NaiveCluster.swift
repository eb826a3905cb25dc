import ClusterTestKit
import PostgresDriver

/// A cluster with the mistakes that a review found in a sketch of ours, written as small as shows them.
///
/// Each race that the real statements withstand goes wrong here: a test of a race that could not fail would be
/// worth nothing. What is wrong stands beside each function.
enum NaiveCluster {
    static func install(_ db: TestDatabase) async throws {
        for statement in Self.tables + Self.functions { try await db.sql(statement) }
    }

    private static let tables: [PostgresStatement] = [
        "create schema naive",
        """
        create table naive.member (
            node int primary key, incarnation bigint not null, status text not null, hb_seq bigint not null default 0,
            hb_at timestamptz not null default clock_timestamp(), up_since timestamptz not null default clock_timestamp())
        """,
        """
        create table naive.lease (
            job bigint primary key, epoch bigint not null, node int not null, incarnation bigint not null,
            deadline_at timestamptz not null default clock_timestamp() + interval '30 s')
        """,
        "create table naive.publish (dest text primary key, staged text not null, job bigint not null, epoch bigint)",
    ]

    private static let functions: [PostgresStatement] = [
        // Draws the number before anything makes sure that nobody else is at the same subject.
        """
        create function naive.acquire(subject text, inc bigint) returns bigint language sql as $$
            insert into flotilla.lease (kind, id, epoch, slot, incarnation)
            select 'job', subject, nextval('flotilla.epoch'), 1, inc
            on conflict (kind, id) do nothing returning epoch $$
        """,
        // Trusts the heartbeat's time alone: after a step of the clock a living name is free.
        """
        create function naive.join(n int, inc bigint, ttl interval) returns bigint language sql as $$
            insert into naive.member as m (node, incarnation, status) values (n, inc, 'active')
            on conflict (node) do update
            set incarnation = excluded.incarnation, status = 'active', hb_seq = 0, hb_at = excluded.hb_at
            where m.status = 'dead' or m.hb_at < clock_timestamp() - ttl
            returning incarnation $$
        """,
        // Counts rows: those who join at the same moment do not see one another.
        """
        create function naive.join_counted(n int, inc bigint, most int) returns bigint language sql as $$
            insert into naive.member (node, incarnation, status)
            select n, inc, 'active'
            where (select count(*) from naive.member where status <> 'dead') < most
            returning incarnation $$
        """,
        // Lets the caller choose the gap: one above the fast window keeps a chain over an outage.
        """
        create function naive.beat(n int, inc bigint, gap interval) returns bigint language sql as $$
            update naive.member m set hb_seq = hb_seq + 1,
                up_since = case when clock_timestamp() - m.hb_at <= gap then m.up_since else clock_timestamp() end,
                hb_at = clock_timestamp()
            where node = n and incarnation = inc and status <> 'dead' returning hb_seq $$
        """,
        // Takes no lock before it judges, and looks for the advisory lock in all databases of the server.
        """
        create function naive.declare_dead(
            o int, t int, t_inc bigint, t_seq bigint, fast interval, slow interval
        ) returns boolean language sql as $$
            with ok as (
                select from naive.member
                where node = o and status = 'active' and hb_at > clock_timestamp() - fast
                  and up_since <= clock_timestamp() - slow
            ), held as (
                select exists (
                    select from pg_locks where locktype = 'advisory' and granted
                      and classid::bigint = t_inc >> 32 and objid::bigint = t_inc & 4294967295) as h
            ), killed as (
                update naive.member m set status = 'dead' from ok, held
                where m.node = t and m.incarnation = t_inc and m.hb_seq = t_seq and m.status <> 'dead'
                  and m.hb_at < clock_timestamp() - case when h then slow else fast end
                returning 1
            )
            select exists (select from killed) $$
        """,
        // Checks the lease, and not that its holder lives.
        """
        create function naive.complete(j bigint, ep bigint) returns boolean language sql as $$
            with l as (delete from naive.lease where job = j and epoch = ep returning 1)
            select exists (select from l) $$
        """,
        // The same.
        """
        create function naive.decide(j bigint, ep bigint, s text, d text) returns boolean language sql as $$
            with l as (delete from naive.lease where job = j and epoch = ep returning job),
            p as (insert into naive.publish (dest, staged, job, epoch) select d, s, job, ep from l returning 1)
            select exists (select from p) $$
        """,
        // Trusts the database's clock for deadlines.
        """
        create function naive.sweep() returns bigint language sql as $$
            with x as materialized (
                select l.job from naive.lease l
                left join naive.member m on m.incarnation = l.incarnation and m.status <> 'dead'
                where m.node is null or l.deadline_at < clock_timestamp()
                for update of l skip locked
            ), d as (delete from naive.lease where job = any (array(select job from x)) returning 1)
            select count(*) from d $$
        """,
    ]
}
