"""The queue beside other queues on PostgreSQL, and beside the bare statements that a queue cannot do without."""

import os

import peers
from queues import NAMES, QueuePeer
from registry import Figure, Result, at_least, ours_at_most, subject

NODES = 20
JOBS = 100_000
BATCH = 100

# What a queue has to write, without fencing, lanes or order: four rows a job, a hundred jobs a statement.
BARE_TABLES = (
    "create schema bare",
    "create table bare.ready (lane bigint, rank bigint, job bigint, attempt smallint, primary key (lane, rank, job))",
    "create table bare.claim (holder bigint, job bigint, epoch bigint, lane bigint, rank bigint, attempt smallint, "
    "claimed_at timestamptz default clock_timestamp(), primary key (holder, job))",
    "create table bare.outcome (job bigint primary key, status text, attempt smallint, ended_at timestamptz "
    "default clock_timestamp())",
)
BARE_CYCLE = f"""\\set holder :client_id + 1
with picked as materialized (
    select lane, rank, job from bare.ready where lane = 1 order by rank limit {BATCH} for update skip locked
), gone as (
    delete from bare.ready r using picked p where r.lane = p.lane and r.rank = p.rank and r.job = p.job
    returning r.lane, r.rank, r.job
)
insert into bare.claim (holder, job, epoch, lane, rank, attempt) select :holder, job, 1, lane, rank, 1 from gone;
with gone as (delete from bare.claim where holder = :holder returning job, attempt)
insert into bare.outcome (job, status, attempt) select job, 'd', attempt from gone;
"""


@subject(
    Figure("job.process", "jobs/s",
           f"{JOBS} no-op jobs drained by {NODES} claimers on one PostgreSQL, each job with an epoch and fenced by its "
           "node's incarnation",
           "pgqueuer, chancy and procrastinate, each at its best of 10 and 100 at a time in 1 and 4 processes",
           at_least(1.5)),
    Figure("job.process.bound", "jobs/s", "the same",
           f"bare statements by pgbench that write as many rows, {BATCH} jobs each, {NODES} clients", at_least(0.7)),
    Figure("job.wal", "B", "WAL of a no-op job from enqueue to end", goal=ours_at_most(1126), less_is_better=True),
)
def process(bench):
    server = bench.postgres()
    jobs = 2_000 if bench.settings.smoke else JOBS
    best = trials(bench, server)
    sides = {
        "ours": lambda seconds, name: drain(bench, server, jobs, name),
        "bare": lambda seconds, name: bare(bench, server, jobs, name),
    }
    for peer, (processes, concurrency) in best:
        sides[f"{peer.name} p{processes}c{concurrency}"] = (
            lambda seconds, name, peer=peer, processes=processes, concurrency=concurrency:
            peer.process(name, fill(bench, seconds), processes, concurrency, seconds))
    rounds = bench.rounds(sides)
    ours = rounds.of("ours", "rate")
    beside = bench.beside(rounds, sides)
    others = {side: rounds.of(side, "rate") for side in sides if side not in ("ours", "bare")}
    return [
        Result("job.process", ours, others, beside),
        Result("job.process.bound", ours, {"bare statements": rounds.of("bare", "rate")}, beside),
        Result("job.wal", rounds.of("ours", "wal_bytes"), {}, {}),
    ]


def fill(bench, seconds):
    """So many that no peer runs dry within a round."""
    return 500 if bench.settings.smoke else max(5_000, int(25_000 * seconds))


def trials(bench, server):
    """Each peer's best setting, from one short look at each; only that one takes part in the rounds."""
    best = []
    for name in NAMES:
        peer = QueuePeer(name, server)
        found = {}
        settings = [(1, 10)] if bench.settings.smoke else [(1, 10), (1, 100), (4, 10), (4, 100)]
        for processes, concurrency in settings:
            database = f"trial_{name}_{processes}_{concurrency}"
            sample = peer.process(database, fill(bench, 2.0), processes, concurrency, 2.0)
            found[(processes, concurrency)] = sample["rate"]
            bench.say(f"  trial  {name} {processes} × {concurrency}: {sample['rate']:.0f} jobs/s")
        best.append((peer, max(found, key=found.get)))
    return best


def drain(bench, server, jobs, name):
    """In a database of its own, as the peers; the WAL is that of enqueueing and of draining."""
    server.sql(f"create database {name}", "checkpoint")
    connection = server.connection.replace("dbname=postgres", f"dbname={name}")
    try:
        before = position(server)
        sample = bench.load("job-drain", "--nodes", NODES, "--jobs", jobs, "--database", connection, server=server)
        sample["wal_bytes"] = (position(server) - before) / jobs
    finally:
        server.sql(f"drop database {name} with (force)")
    return sample


def position(server):
    return int(server.sql("select pg_current_wal_insert_lsn() - '0/0'")[0][0])


def bare(bench, server, jobs, name):
    server.sql("drop schema if exists bare cascade", *BARE_TABLES,
               f"insert into bare.ready select 1, n, n, 0 from generate_series(1, {jobs}) n",
               "vacuum analyze bare.ready", "checkpoint")
    script = os.path.join(bench.folder, f"{name}.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(BARE_CYCLE)
    sample = peers.pgbench_count(server, NODES, jobs // BATCH // NODES, script)
    left = int(server.sql("select count(*) from bare.ready")[0][0])
    sample["rate"] *= (jobs - left) / (jobs // BATCH // NODES * NODES)
    return sample


@subject(
    Figure("job.enqueue.single", "jobs/s", "jobs enqueued one at a time by 64 tasks, each durable",
           "pgqueuer, the same", at_least(2)),
)
def enqueue(bench):
    server = bench.postgres()
    peer = QueuePeer("pgqueuer", server)

    def ours(seconds, name):
        server.sql(f"create database {name}")
        try:
            return bench.load("job-enqueue", "--tasks", 64, "--database",
                              server.connection.replace("dbname=postgres", f"dbname={name}"), seconds=seconds,
                              server=server)
        finally:
            server.sql(f"drop database {name} with (force)")

    sides = {"ours": ours, "pgqueuer": lambda seconds, name: peer.single(name, 64, seconds)}
    rounds = bench.rounds(sides)
    return [Result("job.enqueue.single", rounds.of("ours", "rate"), {"pgqueuer": rounds.of("pgqueuer", "rate")},
                   bench.beside(rounds, sides))]


@subject(
    Figure("job.pickup", "ms", "at 500 jobs a second on five nodes, from commit to start, the 99th of 100",
           goal=ours_at_most(25), less_is_better=True),
    Figure("job.pickup.median", "ms", "the same, the median", goal=ours_at_most(5), less_is_better=True),
    Figure("job.pickup.without_redis", "ms", "the 99th of 100 with no doorbell between the nodes",
           goal=ours_at_most(1000), less_is_better=True),
)
def pickup(bench):
    server, redis = bench.postgres(), bench.redis()
    seconds = 1.0 if bench.settings.smoke else max(5.0, bench.settings.seconds)

    def side(*more):
        def run(_, name):
            server.sql(f"create database {name}")
            try:
                return bench.load("job-pickup", "--nodes", 5, "--rate", 500, "--database",
                                  server.connection.replace("dbname=postgres", f"dbname={name}"), *more,
                                  seconds=seconds, server=server)
            finally:
                server.sql(f"drop database {name} with (force)")

        return run

    sides = {"ours": side("--redis", redis.url), "without redis": side()}
    rounds = bench.rounds(sides)
    beside = bench.beside(rounds, sides)
    return [
        Result("job.pickup", rounds.of("ours", "p99_ms"), {}, beside),
        Result("job.pickup.median", rounds.of("ours", "p50_ms"), {}, {}),
        Result("job.pickup.without_redis", rounds.of("without redis", "p99_ms"), {}, {}),
    ]
