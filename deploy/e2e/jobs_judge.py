"""What must be true of the queue when all is over: by the database, by REST, and by what the receiver got."""

import collections
import hashlib
import json
import os


def judge(run, load):
    report, database = run.report, run.world.database
    report.check(not load.gave_up, "every client was answered in the end", load.gave_up[:3])
    events = {int(row[0]): row[1:] for row in database.rows(
        "select e.id, e.kind, convert_from(e.path, 'UTF8'), coalesce(encode(e.digest, 'hex'), ''), e.operation, e.jobs "
        f"from flotilla.event e where convert_from(e.path, 'UTF8') like '{run.folder}/%'")}
    each_change_is_an_event(run, events)
    messages(run, events)
    in_order(run, events)
    places(run)
    histories(run)
    submitted(run)
    carried(run)


def each_change_is_an_event(run, events):
    logged = {row[0] for row in run.world.database.rows(
        "select id from flotilla.transfer where status = 'completed' and kind in ('upload', 'delete', 'move') "
        f"and convert_from(path, 'UTF8') like '{run.folder}/%'")}
    told = collections.Counter(event[3] for event in events.values())
    run.report.check(
        set(told) == logged and set(told.values()) == {1},
        f"each of {len(logged)} changes is one event",
        (list(logged - set(told))[:3], list(set(told) - logged)[:3], [o for o, c in told.items() if c > 1][:3]))


def messages(run, events):
    """Each event came to each webhook that wants it, under one key, with the same bytes, by one job."""
    report, received = run.report, list(run.receiver.messages)
    report.check(not run.receiver.forged, "every message is signed", len(run.receiver.forged))
    hooks = {row[0].removeprefix(f"{run.folder}-"): row[1] for row in run.world.database.rows(
        f"select name, id from flotilla.webhook where name like '{run.folder}-%'")}
    wanted = {}
    for number, (_, path, *_) in events.items():
        for hook, below in (("all", ""), ("ordered", ""), ("refused", "stuck/"), ("hanging", "slow/")):
            if path.startswith(f"{run.folder}/{below}"):
                wanted[f"{number}-{hooks[hook]}"] = number
    got = collections.defaultdict(list)
    for message in received:
        got[message.key].append(message)
    effects = run.receiver.effects
    report.check(
        set(effects) == set(wanted), f"each of {len(wanted)} messages had its effect, and nothing else had one "
        f"({len(received)} requests, {sum(m.status == 200 for m in received)} of them taken)",
        f"missing {[(k, len(got[k])) for k in set(wanted) - set(effects)][:3]}, "
        f"too many {list(set(effects) - set(wanted))[:3]}")
    torn = [key for key, some in got.items() if len({(m.body, m.job) for m in some}) > 1]
    report.check(not torn, "a message is the same at each attempt, and of one job", torn[:3])
    twice = [key for key, some in got.items() if len({m.epoch for m in some}) < len(some)]
    report.check(not twice, "each claim sends once", twice[:3])
    wrong = []
    for key, message in effects.items():
        body, (kind, path, digest, operation, _) = json.loads(message.body), events.get(wanted.get(key), ("",) * 5)
        said = (body["kind"], body["path"], body.get("sha256", ""), body["operation"])
        if said != (kind, "/" + path, digest, operation):
            wrong.append(body)
    report.check(not wrong, "each message says what its event says", wrong[:2])


def in_order(run, events):
    """Of the ordered webhook: about one path, the effects came in the order of the changes."""
    last, wrong = {}, []
    for message in run.receiver.effects.values():
        if message.hook != "ordered":
            continue
        event = message.event
        if event["id"] < last.get(event["path"], 0):
            wrong.append((event["path"], last[event["path"]], event["id"]))
        last[event["path"]] = event["id"]
    several = sum(count > 1 for count in collections.Counter(event[1] for event in events.values()).values())
    run.report.check(
        not wrong and several, f"messages about one path came in order ({several} paths changed again)", wrong[:3])


def places(run):
    """Nothing is left of what was under way, and each job is in exactly one place."""
    database = run.world.database
    tables = ("ready", "later", "waiting", "claim", "claim_slot", "job_progress")
    left = {table: database.number(f"select count(*) from flotilla.{table}") for table in tables}
    run.report.check(not any(left.values()), "no claim, slot, ticket or delay is left", left)
    homeless = database.number(
        "select count(*) from flotilla.job j where not exists (select from flotilla.outcome o where o.job = j.id)")
    run.report.check(homeless == 0, "every job has ended", homeless)
    keys = database.number("select count(*) from flotilla.job_key where head <> tail")
    run.report.check(keys == 0, "every line behind a key is at its end", keys)
    unhappy = database.rows("select o.job, o.status, o.note from flotilla.outcome o where o.status <> 'd' limit 5")
    run.report.check(not unhappy, "all of them are done", unhappy)


def histories(run):
    """Attempts that count are those that failed, and the last one."""
    wrong = run.world.database.rows("""
        select o.job, o.attempt, h.changes from flotilla.outcome o
        cross join lateral (
            select string_agg(h.change, ' ' order by h.number) as changes,
                   count(*) filter (where h.change in ('retry', 'node-died', 'overdue') and h.number > coalesce((
                       select max(s.number) from flotilla.job_history s
                       where s.job = o.job and s.change = 'sent-back' and s.attempt = 0), 0)) as failures
            from flotilla.job_history h where h.job = o.job
        ) h
        where o.attempt <> h.failures + 1 limit 5""")
    changes = run.world.database.rows(
        "select change, count(*) from flotilla.job_history group by change order by change")
    run.report.check(not wrong, f"each job's attempts agree with its history ({dict(changes)})", wrong)


def submitted(run):
    """Each job that somebody submitted ended as its kind says, and each key made one job."""
    jobs = {job["id"]: job for kind in {kind.name for kind, _ in run.submitted.values()}
            for job in run.admin.pages("jobs", kind=kind)}
    wrong = [(key, jobs.get(number, {}).get("state"), jobs.get(number, {}).get("note"))
             for key, (kind, number) in run.submitted.items() if number not in jobs or not kind.holds(jobs[number])]
    numbers = {number for _, number in run.submitted.values()}
    run.report.check(
        not wrong and len(numbers) == len(run.submitted) == len(jobs),
        f"{len(run.submitted)} submitted jobs did what they should, each once",
        (len(wrong), wrong[:3], len(numbers), len(jobs)))


def carried(run):
    """Disk and transfer log agree on each copy and move: there once, whole, and a moved file no longer where it was."""
    archive, database = run.archive, run.world.database
    wrong = []
    for stays, carried_files in ((True, archive.copies), (False, archive.moves)):
        for source, target, digest in carried_files.values():
            found = digest_of(archive.on_disk(target))
            if found != digest or os.path.exists(archive.on_disk(source)) != stays:
                wrong.append((source, target, digest, found))
    run.report.check(
        not wrong and archive.copies and archive.moves,
        f"{len(archive.copies)} copies and {len(archive.moves)} moves are on the disk, whole, and only there",
        wrong[:3])
    logged = collections.Counter()
    for account, path, target, kind, digest in database.rows(
            "select account, convert_from(path, 'UTF8'), coalesce(convert_from(target, 'UTF8'), ''), kind, "
            "coalesce(encode(digest, 'hex'), '') from flotilla.transfer "
            "where protocol = 'job' and status = 'completed'"):
        logged[(kind, account, "/" + path, "/" + target if kind == "move" else digest)] += 1
    wanted = collections.Counter()
    for source, target, digest in archive.copies.values():
        wanted[("upload", *target, digest)] += 1
    for source, target, digest in archive.moves.values():
        if source[0] == target[0]:
            wanted[("move", *source, target[1])] += 1
        else:
            wanted[("upload", *target, digest)] += 1
            wanted[("delete", *source, "")] += 1
    run.report.check(
        logged == wanted, f"the log has each of their {sum(wanted.values())} changes once",
        f"missing {list((wanted - logged).elements())[:3]}, too many {list((logged - wanted).elements())[:3]}")


def digest_of(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None
