/// What the answer to a heartbeat tells an idle node, so that it needs no other query.
package struct HeartbeatNews: Sendable, Hashable {
    package var status: MemberStatus
    /// Whether this beat continued the chain (gap of at most 450 ms by the database's clock).
    package var chainUnbroken: Bool
    package var viewVersion: Int64
    package var configVersion: ConfigVersion
    /// Somebody departed and is not cleared.
    package var sweepDue: Bool
    /// Every live member's heartbeat by slot, own one included.
    package var observed: [ObservedHeartbeat]
    /// How many leases were taken away from this living incarnation, by deadline or by an operator.
    package var leaseLosses: Int64
    /// Rises when jobs were enqueued or older ones became ready again, at the latest a beat or two after their commit.
    package var jobNews: Int64
    /// Another number than before: who should have which shard was changed, or somebody gave one up.
    package var shardNews: Int64

    package init(
        status: MemberStatus, chainUnbroken: Bool, viewVersion: Int64, configVersion: ConfigVersion,
        sweepDue: Bool, observed: [ObservedHeartbeat], leaseLosses: Int64 = 0, jobNews: Int64 = 0,
        shardNews: Int64 = 0
    ) {
        self.status = status
        self.chainUnbroken = chainUnbroken
        self.viewVersion = viewVersion
        self.configVersion = configVersion
        self.sweepDue = sweepDue
        self.observed = observed
        self.leaseLosses = leaseLosses
        self.jobNews = jobNews
        self.shardNews = shardNews
    }
}

package struct ObservedHeartbeat: Sendable, Hashable {
    package var slot: Slot
    package var incarnation: Incarnation
    package var heartbeats: Int64

    package init(slot: Slot, incarnation: Incarnation, heartbeats: Int64) {
        self.slot = slot
        self.incarnation = incarnation
        self.heartbeats = heartbeats
    }
}

/// Evidence that a member stands still, as one observer has it.
package struct Accusation: Sendable, Hashable {
    package var accuserSlot: Slot
    package var accuser: Incarnation
    package var target: Slot
    package var targetIncarnation: Incarnation
    /// What the accuser last saw, and has watched for at least the fast window on its own clock.
    package var heartbeats: Int64
    /// How long the accuser has watched it stand still, on its own steady clock.
    package var watched: Duration

    package init(
        accuserSlot: Slot, accuser: Incarnation, target: Slot, targetIncarnation: Incarnation,
        heartbeats: Int64,
        watched: Duration
    ) {
        self.accuserSlot = accuserSlot
        self.accuser = accuser
        self.target = target
        self.targetIncarnation = targetIncarnation
        self.heartbeats = heartbeats
        self.watched = watched
    }
}
