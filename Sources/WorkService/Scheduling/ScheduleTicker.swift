package import ClusterModel
package import ClusterPorts
package import Logging
import Synchronization

/// Fires the schedules of the shards that this node owns.
///
/// What a round reads may be old when it writes: the statement that fires decides, once for each firing.
/// Between rounds it remembers nothing that matters, so whoever gets a shard goes on where the rows are.
package final class ScheduleTicker: StandingWork {
    package let name = "schedules"
    private let store: any ScheduleFiringStore
    private let standing: any NodeStanding
    private let settings: Settings
    private let logger: Logger
    private let heard = Mutex<ConfigVersion?>(nil)

    package struct Settings: Sendable {
        /// How many schedules one statement reads, each with a payload of at most 16 KiB; 1 to 1,000.
        package var page = 250
        /// A round begins no other page after so long.
        package var longest: Duration = .seconds(3)
        /// After something went wrong.
        package var afterTrouble: Duration = .seconds(2)
        /// Without anything that is due sooner: a database's clock that was set forward is noticed by then.
        package var idle: Duration = .seconds(60)
        /// Between hearing of a change and asking what is due, so that many changes are one question.
        package var gathering: Duration = .milliseconds(250)

        package init() {}
    }

    /// - Parameter standing: tells of changes by the configuration version in heartbeats' answers.
    package init(
        store: any ScheduleFiringStore, standing: any NodeStanding, settings: Settings = Settings(),
        logger: Logger
    ) {
        self.store = store
        self.standing = standing
        self.settings = settings
        self.logger = logger
    }

    package func round(
        _ shards: [ShardTitle], by right: NodeRight, _ desk: any ShardDesk
    ) async -> StandingRound {
        var course = TickCourse(shards)
        let clock = ContinuousClock()
        let began = clock.now
        var place: DueCursor?
        while !Task.isCancelled {
            course.keep(desk.holds)
            let shards = course.shards
            guard !shards.isEmpty else { break }
            let due: DueSchedules
            do throws(StoreError) {
                due = try await self.store.due(in: shards, after: place, limit: self.settings.page)
            } catch {
                self.logger.debug("schedules were not read", metadata: ["error": "\(error)"])
                course.troubled()
                break
            }
            let read = clock.now
            course.read(due)
            for batch in ScheduleRules.batches(
                due.schedules.compactMap { ScheduleRules.turn(of: $0, at: due.now) })
            {
                await self.fire(batch, by: right, &course, desk)
            }
            for reason in due.unreadable {
                self.logger.warning("a schedule cannot be read", metadata: ["error": "\(reason)"])
            }
            if due.more == nil { course.looked(at: due.now, next: due.next) }
            guard due.more != nil, clock.now - began < self.settings.longest else {
                return course.round(
                    since: clock.now - read, idle: self.settings.idle,
                    afterTrouble: self.settings.afterTrouble)
            }
            place = due.more
        }
        return course.round(since: .zero, idle: self.settings.idle, afterTrouble: self.settings.afterTrouble)
    }

    /// Halves a batch that the database refuses, until only what it refuses is left out.
    private func fire(
        _ turns: [ScheduleTurn], by right: NodeRight, _ course: inout TickCourse, _ desk: any ShardDesk
    ) async {
        let owned = turns.filter { course.owns($0.schedule.id.shard) }
        let titles = course.titles(of: owned)
        guard !owned.isEmpty, !Task.isCancelled else { return }
        do throws(StoreError) {
            let fired = try await self.store.fire(owned, owning: titles, by: right)
            for title in course.fired(owned, fired, titles) { desk.lost(title) }
            for turn in owned where fired.jobs[turn.schedule.id] != nil {
                self.tell(turn, jobs: fired.jobs[turn.schedule.id] ?? 0)
            }
        } catch {
            course.troubled()
            guard case .refused = error else {
                self.logger.debug("schedules were not fired", metadata: ["error": "\(error)"])
                return
            }
            guard owned.count > 1 else {
                self.logger.warning(
                    "a schedule cannot be fired",
                    metadata: ["schedule": "\(owned[0].schedule.name)", "error": "\(error)"])
                return
            }
            await self.fire(Array(owned[..<(owned.count / 2)]), by: right, &course, desk)
            await self.fire(Array(owned[(owned.count / 2)...]), by: right, &course, desk)
        }
    }

    private func tell(_ turn: ScheduleTurn, jobs: Int) {
        let skipped = turn.skipped + Int64(turn.firings.count - jobs)
        self.logger.debug(
            "a schedule fired",
            metadata: [
                "schedule": "\(turn.schedule.name)", "due": "\(turn.firedAt)", "jobs": "\(jobs)",
                "skipped": "\(skipped)",
            ])
    }

    /// Heartbeats tell of each change of the cluster's configuration, and schedules are part of it.
    package func calls() -> AsyncStream<Void> {
        let changes = self.standing.changes()
        return AsyncStream(unfolding: { [self] in
            for await _ in changes where self.isNews() {
                try? await Task.sleep(for: self.settings.gathering)
                return ()
            }
            return nil
        })
    }

    private func isNews() -> Bool {
        guard let version = self.standing.standing().configVersion else { return false }
        return self.heard.withLock { heard in
            defer { heard = version }
            return heard != version
        }
    }
}
