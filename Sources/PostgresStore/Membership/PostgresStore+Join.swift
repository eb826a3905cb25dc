import ClusterModel
package import ClusterPorts
import PostgresDriver

/// Taking a slot. Joiners race; each attempt is one statement, and one joiner of each race wins it.
extension PostgresStore {
    /// Each lost attempt means that somebody else took a place, or that the places are spread wider next
    /// time.
    private static let joinAttempts = 40

    package func join(_ request: JoinRequest) async throws(StoreError) -> JoinAnswer {
        let attributes = try MemberRow.json(request.attributes)
        var blocked = 0
        for attempt in 0..<Self.joinAttempts {
            guard let row = try await self.tryJoin(request, attributes, spread: 1 << min(attempt, 10)) else {
                continue
            }
            let (verdict, limit, minReader, slot, name) = try row.reading(
                String.self, Int.self, Int.self, Int16?.self, String?.self)
            switch verdict {
            case "open", "joined":
                guard let slot, let name else { continue }  // Somebody else was faster.
                return .joined(slot: Slot(slot), name: try NodeName(stored: name))
            case "too old": return .tooOld(minReaderVersion: minReader)
            case "departed":
                throw .refused(
                    sqlState: "FL002",
                    message: "incarnation \(request.incarnation) has departed; dead is final")
            case "name taken":
                let holder = try await self.view().members.first {
                    $0.name == request.name && $0.status != .dead
                }
                guard let holder else { continue }  // It died meanwhile.
                return .nameTaken(by: holder)
            case "blocked":
                try await self.forgetMisplaced()
                blocked += 1
                guard blocked < 3 else { throw Self.noFreeName }
            default:
                return .full(
                    limit: limit, members: try await self.view().members.filter { $0.status != .dead })
            }
        }
        throw .notRun("other nodes joined faster \(Self.joinAttempts) times in a row")
    }

    private static let noFreeName = StoreError.refused(
        sqlState: "FL003",
        message:
            "the free slots' own names (worker-N) belong to live nodes in other slots; give this node a name")

    /// Nil when a name was taken in the same moment.
    private func tryJoin(
        _ request: JoinRequest, _ attributes: PostgresJSON, spread: Int
    ) async throws(StoreError) -> PostgresRow? {
        do throws(StoreError) {
            // Who has joined has to beat before the others may take its silence for death: a slower answer is looked up.
            return try await self.one(
                Self.join(request, attributes, spread: spread), deadline: self.times.slowWindow / 2)
        } catch {
            guard error.isRefusal(.uniqueViolation) else { throw error }
            return nil
        }
    }

    /// A free slot has no row or the row of a dead one.
    ///
    /// Names are unique, the dead ones included: so who had
    /// the name before gets the old slot again. Of the free slots the first `spread` are shared out by
    /// incarnation, so that the losers of a race do not meet at the next slot again.
    private static func join(
        _ request: JoinRequest, _ attributes: PostgresJSON, spread: Int
    ) -> PostgresStatement {
        let name = request.name?.description
        return """
            with facts as materialized (
                select member_limit, min_reader_version from flotilla.cluster
            ), mine as materialized (  -- Joined already, and the answer was lost.
                select slot, name from flotilla.member
                where incarnation = \(request.incarnation.rawValue) and status <> 'dead'
            ), slots as materialized (
                select s.slot::smallint as slot, m.incarnation as was, m.name as was_name,
                       coalesce(\(name), 'worker-' || s.slot) as name
                from facts, generate_series(1, facts.member_limit) as s (slot)
                left join flotilla.member m on m.slot = s.slot
                where m.slot is null or m.status = 'dead'
            ), free as (
                select s.*, count(*) over () as total,
                       row_number() over (
                           order by case when \(name) is null or s.was is null then 0 else 1 end, s.slot) - 1 as place
                from slots s
                where not exists (select from flotilla.member o where o.name = s.name and o.slot <> s.slot)
            ), chosen as materialized (
                select * from free where place = \(request.incarnation.rawValue) % least(total, \(spread))
            ), gate as materialized (
                select case
                    when exists (select from mine) then 'joined'
                    when f.min_reader_version > \(request.knownSchema) then 'too old'
                    when exists (
                        select from flotilla.departed where incarnation = \(request.incarnation.rawValue))
                        then 'departed'
                    when exists (select from flotilla.member where name = \(name) and status <> 'dead')
                        then 'name taken'
                    when exists (select from chosen) then 'open'
                    when exists (select from slots) then 'blocked'
                    else 'full' end as verdict
                from facts f
            ), superseded as (  -- In case that nobody noted the death of the row's owner.
                insert into flotilla.departed (incarnation, slot, name, reason)
                select c.was, c.slot, c.was_name, 'superseded' from chosen c, gate g
                where g.verdict = 'open' and c.was is not null
                on conflict do nothing
            ), \(Self.takenAndAdded(request, attributes)), placed as (
                select slot, name, \(request.incarnation.rawValue) as incarnation, 'joined' as reason from taken
                union all
                select slot, name, \(request.incarnation.rawValue), 'joined' from added
            ), \(Fragments.nextView(from: "placed"))
            select g.verdict, f.member_limit, f.min_reader_version, p.slot, p.name
            from gate g cross join facts f
            left join (select slot, name from placed union all select slot, name from mine) p on true
            """
    }

    /// The row of a dead one is taken over, or a new one added.
    ///
    /// Either can lose against another joiner.
    private static func takenAndAdded(_ request: JoinRequest, _ attributes: PostgresJSON) -> PostgresStatement
    {
        """
        taken as (
            update flotilla.member m
            set name = c.name, incarnation = \(request.incarnation.rawValue), status = 'active', hb_seq = 0,
                hb_at = clock_timestamp(), up_since = clock_timestamp(), chain = 0,
                joined_at = clock_timestamp(), died_at = null, host = \(request.addresses.host),
                files_port = \(request.addresses.filesPort), admin_port = \(request.addresses.adminPort),
                version = \(request.version), attributes = \(attributes), capacity = \(request.capacity),
                inflight = 0, load = 0, lease_losses = 0, hb_pid = null, drain_by = null, drain_reason = null,
                set_attributes = case when m.name = c.name then m.set_attributes else '{}' end
            from chosen c, gate g
            where g.verdict = 'open' and m.slot = c.slot and m.incarnation = c.was and m.status = 'dead'
            returning m.slot, m.name
        ), added as (
            insert into flotilla.member (
                slot, name, incarnation, status, hb_at, up_since, joined_at, host, files_port, admin_port, version,
                attributes, capacity)
            select c.slot, c.name, \(request.incarnation.rawValue), 'active', clock_timestamp(), clock_timestamp(),
                   clock_timestamp(), \(request.addresses.host), \(request.addresses.filesPort),
                   \(request.addresses.adminPort), \(request.version), \(attributes), \(request.capacity)
            from chosen c, gate g
            where g.verdict = 'open' and c.was is null
            on conflict do nothing
            returning slot, name
        )
        """
    }

    /// Removes dead rows that keep a name from a free slot.
    ///
    /// They lie beyond a limit that was lowered, or are the `worker-N` of another slot. What they left is known by
    /// their departures.
    private func forgetMisplaced() async throws(StoreError) {
        _ = try await self.run(
            """
            with gone as (
                delete from flotilla.member m using flotilla.cluster c
                where m.status = 'dead'
                  and (m.slot > c.member_limit
                       or (m.name like 'worker-%' and m.name <> 'worker-' || m.slot))
                returning m.slot, m.name, m.incarnation, 'pruned' as reason
            ), superseded as (
                insert into flotilla.departed (incarnation, slot, name, reason)
                select incarnation, slot, name, 'superseded' from gone
                on conflict do nothing
            ), \(Fragments.nextView(from: "gone"))
            select
            """)
    }
}
