import ClusterModel
import ClusterPorts
import PostgresDriver

/// The statement of a heartbeat, and what its answer means.
enum HeartbeatStatement {
    /// Changes no indexed column, so it is a HOT update.
    ///
    /// The clock is read once, so that the chain's length
    /// and its start never disagree; a clock that was set back breaks the chain as a gap does.
    ///
    /// - Parameter continues: Not the first one on its line. What cut this line may have cut the others' too, and
    ///   they may need a moment longer to come back: so a new line starts a new chain.
    static func beat(_ pulse: Pulse, continues: Bool, times: MembershipTimes) -> PostgresStatement {
        """
        with now as materialized (
            select clock_timestamp() as time
        ), beat as (
            update flotilla.member m
            set hb_seq = m.hb_seq + 1, hb_at = n.time, hb_pid = pg_backend_pid(),
                inflight = \(Int32(clamping: pulse.load.inFlight)),
                load = \(pulse.load.load), capacity = \(Int32(clamping: pulse.capacity)),
                up_since = case when \(Self.isUnbroken(continues, times)) then m.up_since else n.time end,
                chain = case when \(Self.isUnbroken(continues, times)) then m.chain + 1 else 0 end
            from now n
            where m.slot = \(pulse.slot.rawValue) and m.incarnation = \(pulse.incarnation.rawValue)
              and m.status <> 'dead'
            returning m.slot, m.status, m.hb_seq, m.chain, m.lease_losses
        ), live as materialized (
            select array_agg(m.slot order by m.slot) as slots,
                   array_agg(m.incarnation order by m.slot) as incarnations,
                   array_agg(
                       case when m.slot = \(pulse.slot.rawValue) then (select hb_seq from beat) else m.hb_seq end
                       order by m.slot) as heartbeats
            from flotilla.member m where m.status <> 'dead'
        )
        select b.status, b.chain > 0, c.view_version, c.config_version,
               exists (select from flotilla.departed where swept_at is null),
               l.slots, l.incarnations, l.heartbeats, b.lease_losses,
               (select last_value from flotilla.job_number) + (select last_value from flotilla.job_again),
               c.shard_version
        from beat b cross join flotilla.cluster c cross join live l
        """
    }

    private static func isUnbroken(_ continues: Bool, _ times: MembershipTimes) -> PostgresStatement {
        "\(continues) and n.time - m.hb_at between interval '0' and \(Fragments.interval(times.chainGap))"
    }

    static func answer(_ rows: PostgresRows) throws(StoreError) -> HeartbeatAnswer {
        guard let row = rows.first else { return .dead }
        let (
            status, unbroken, view, config, sweepDue, slots, incarnations, heartbeats, losses, news, shards
        ) =
            try row.reading(
                String.self, Bool.self, Int64.self, Int64.self, Bool.self, [Int16].self, [Int64].self,
                [Int64].self, Int64.self, Int64.self, Int64.self)
        guard slots.count == incarnations.count, slots.count == heartbeats.count else {
            throw .corrupt("a heartbeat's answer has lists of different lengths")
        }
        var observed: [ObservedHeartbeat] = []
        for (index, slot) in slots.enumerated() {
            observed.append(
                ObservedHeartbeat(
                    slot: Slot(slot), incarnation: try Incarnation(stored: incarnations[index]),
                    heartbeats: heartbeats[index]))
        }
        return .alive(
            HeartbeatNews(
                status: try MemberStatus(stored: status), chainUnbroken: unbroken, viewVersion: view,
                configVersion: ConfigVersion(config), sweepDue: sweepDue, observed: observed,
                leaseLosses: losses, jobNews: news, shardNews: shards))
    }
}
