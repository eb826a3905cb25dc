import ClusterModel
import PostgresDriver

/// The statement that ends claims and puts their jobs where the endings say.
///
/// Deletes the claims by (incarnation, job, epoch); what comes back are the winners, and all else follows from them:
/// whose right is gone is not among them and changes nothing for the others.
enum FinishJobsStatement {
    /// What the database calls the ends; in an outcome `d` and `f` are the same.
    enum Verdict: String {
        case done = "d"
        case failed = "f"
        case retry = "r"
        case givenBack = "b"
        case postponed = "p"

        init(_ end: JobEnd) {
            switch end {
            case .done: self = .done
            case .failed: self = .failed
            case .retry: self = .retry
            case .givenBack: self = .givenBack
            case .postponed: self = .postponed
            }
        }
    }

    /// One row: the jobs whose claims ended, what became of each, the keys behind whose heads others wait, and how many
    /// claims were found.
    ///
    /// Of these some may not have ended: one that was settled under a limit in the same moment stands in another place,
    /// which this statement's snapshot does not show. The next one's does.
    ///
    /// - Parameter endings: in the order of their jobs, each once.
    static func finish(_ endings: [JobEnding], by right: NodeRight) -> PostgresStatement {
        let isPlain = endings.allSatisfy { $0.end == .done(note: nil) }
        return isPlain ? Self.plain(endings, by: right) : Self.mixed(endings, by: right)
    }

    private static func plain(_ endings: [JobEnding], by right: NodeRight) -> PostgresStatement {
        """
        with \(Fragments.me(right)), held as materialized (
            select l.tid from unnest(
                \(endings.map(\.title.job.rawValue)), \(endings.map(\.title.epoch.rawValue))
            ) as a (job, epoch) cross join lateral \(Self.locked(by: right)) l
        ), ended as (
            delete from flotilla.claim c where c.ctid = any (array(select tid from held))
            returning c.job, c.epoch, c.attempt, c.keyed, c.limited
        ), outcomes as (
            insert into flotilla.outcome (job, status, attempt, epoch, slot)
            select e.job, 'd', e.attempt, e.epoch, \(right.slot.rawValue) from ended e
        ), \(JobFragments.slotsFreed(by: "ended")), \(Self.progressForgotten(by: "ended")),
        \(JobFragments.keys(of: "ended", where: "e.keyed")), \(JobFragments.headsMoved(past: "keys"))
        select coalesce(array_agg(e.job), '{}'), coalesce(array_agg('d'::text), '{}'), (\(Self.waitingKeys)),
               (select count(*) from held)
        from ended e
        """
    }

    /// One time for all: what is due at once stands in the order of the jobs then, whatever the order in which they were
    /// looked up.
    private static func mixed(_ endings: [JobEnding], by right: NodeRight) -> PostgresStatement {
        """
        with \(Fragments.me(right)), held as materialized (
            select l.tid, a.job, a.verdict, a.pause, a.note from unnest(
                \(endings.map(\.title.job.rawValue)), \(endings.map(\.title.epoch.rawValue)),
                \(endings.map { Verdict($0.end).rawValue }), \(endings.map(Self.pause)), \(endings.map(Self.note))
            ) as a (job, epoch, verdict, pause, note) cross join lateral \(Self.locked(by: right)) l
        ), gone as (
            delete from flotilla.claim c where c.ctid = any (array(select tid from held)) returning c.*
        ), ended as materialized (
            select g.*, h.verdict, h.pause, h.note from gone g join held h on h.job = g.job
        ), now as materialized (
            select clock_timestamp() as time
        ), judged as materialized (
            select e.*, j.kind, n.time + e.pause * interval '1 microsecond' as due_at, j.priority,
                   case when e.verdict = 'r' and e.attempt >= j.max_attempts then 'f' else e.verdict end as result
            from ended e cross join now n cross join lateral (
                select j.kind, j.priority, j.max_attempts from flotilla.job j where j.id = e.job limit 1
            ) j
        ), outcomes as (
            insert into flotilla.outcome (job, status, attempt, epoch, slot, note)
            select e.job, e.result::"char", e.attempt, e.epoch, \(right.slot.rawValue), e.note
            from judged e where e.result in ('d', 'f')
        ), delayed as (
            insert into flotilla.later (due_at, job, lane, rank, attempt)
            select e.due_at, e.job, e.lane, flotilla.job_rank(e.due_at, e.priority),
                   e.attempt - case e.result when 'p' then 1 else 0 end
            from judged e where e.result in ('r', 'p')
        ), back as (
            insert into flotilla.ready (lane, rank, job, attempt)
            select e.lane, e.rank, e.job, e.attempt - 1 from judged e where e.result = 'b'
            returning job
        ), remembered as (
            insert into flotilla.job_history (job, change, attempt, epoch, node, note)
            select e.job, case e.result when 'f' then 'failed' when 'r' then 'retry' when 'p' then 'postponed'
                          else 'gave-back' end,
                   e.attempt, e.epoch, \(right.name.description), e.note
            from judged e where e.result <> 'd' and not (e.result = 'p' and \(Self.wasPostponed))
        ), \(JobFragments.fed("failed", from: "judged", where: "e.result = 'f'", by: right.name.description)),
        done as materialized (select job from judged where result = 'd'), \(Self.progressForgotten(by: "done")),
        \(JobFragments.slotsFreed(by: "ended")),
        \(JobFragments.keys(of: "judged", where: "e.keyed and e.result in ('d', 'f')")),
        \(JobFragments.headsMoved(past: "keys")), \(JobFragments.news(ifAny: "back"))
        select coalesce(array_agg(e.job), '{}'), coalesce(array_agg(e.result), '{}'), (\(Self.waitingKeys)),
               (select count(*) from held), (select number from news)
        from judged e
        """
    }

    /// Once for each attempt: while something is busy for hours, that is said once and not a thousand times.
    private static let wasPostponed: PostgresStatement = """
        exists (
            select from flotilla.job_history h
            where h.job = e.job and h.change = 'postponed' and h.attempt = e.attempt)
        """

    /// The place of the claim of `a`, locked; nothing if it is not held.
    ///
    /// One step into the index for each. A join may be planned to read all that the incarnation ever held and vacuum
    /// has left, for each batch anew.
    private static func locked(by right: NodeRight) -> PostgresStatement {
        """
        (
            select c.ctid as tid from flotilla.claim c
            where c.incarnation = \(right.incarnation.rawValue) and c.job = a.job and c.epoch = a.epoch
              and exists (select from me)
            limit 1 for update
        )
        """
    }

    private static func progressForgotten(by source: PostgresStatement) -> PostgresStatement {
        """
        forgotten as (
            delete from flotilla.job_progress p where p.job = any (array(select job from \(source)))
        )
        """
    }

    private static let waitingKeys: PostgresStatement =
        "select coalesce(array_agg(h.order_key), '{}') from heads h where h.waits"

    /// Microseconds until the next attempt; at most a year.
    private static func pause(_ ending: JobEnding) -> Int64 {
        switch ending.end {
        case .retry(let after, _), .postponed(let after, _):
            min(max(0, after.wholeNanoseconds / 1_000), 31_622_400_000_000)
        case .done, .failed, .givenBack: 0
        }
    }

    private static func note(_ ending: JobEnding) -> String? {
        switch ending.end {
        case .done(let note): note.map(Self.short)
        case .retry(_, let reason), .postponed(_, let reason), .failed(let reason), .givenBack(let reason):
            Self.short(reason)
        }
    }

    /// For people, and no place for documents: the first 2,000 characters, without NUL, which no text may have.
    private static func short(_ text: String) -> String {
        String(text.prefix(2_000)).replacing("\0", with: "")
    }
}
