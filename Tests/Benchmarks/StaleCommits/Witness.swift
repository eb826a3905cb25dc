import ClusterModel
import PostgresDriver

/// Notes in the database what the loads' own connections write, in the transaction that writes it.
///
/// Rows of the dead are changed by the living as well: they end its transfers, release its folders, sweep its leases.
/// So neither the rows nor their stamps tell who wrote after a death; the notes do, by the connection's name, and nobody
/// changes a note.
enum Witness {
    /// Makes the tables and triggers where they are missing; many may do it at once.
    static func prepare(_ pool: PostgresPool) async throws {
        _ = try await pool.query(
            """
            do $do$
            begin
                perform pg_advisory_xact_lock(4711, 1);
                if to_regclass('witness.written') is not null then return; end if;
                create schema witness;
                create table witness.written (
                    id bigint generated always as identity primary key, place text not null, key text not null,
                    operations uuid[]
                );
                create index on witness.written (key);
                create function witness.note() returns trigger language plpgsql as $note$
                begin
                    if current_setting('application_name') in ('flotilla stale-commits', 'flotilla woken-writer') then
                        insert into witness.written (place, key, operations)
                        select tg_table_name, to_jsonb(new) ->> tg_argv[0], coalesce(array_agg(b.id::uuid), '{}')
                        from jsonb_array_elements_text(to_jsonb(new) -> 'busy_operation') as b (id);
                    end if;
                    return null;
                end $note$;
                create trigger witness after insert or update on flotilla.lease
                    for each row execute function witness.note('incarnation');
                create trigger witness after insert or update on flotilla.name
                    for each row execute function witness.note('account_id');
                create trigger witness after insert or update on flotilla.home
                    for each row execute function witness.note('account_id');
                create trigger witness after insert or update on flotilla.transfer
                    for each row execute function witness.note('account');
            end $do$
            """)
    }

    /// The newest note about a home; 0 when there is none.
    static func newest(about account: AccountID, on pool: PostgresPool) async throws -> Int64 {
        try await pool.query(
            "select coalesce(max(id), 0) from witness.written where key = \(account.rawValue)::text"
        ).exactlyOne()[0, as: Int64.self]
    }
}
