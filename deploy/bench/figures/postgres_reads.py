"""Point reads through the pool beside pgbench -S."""

import os

from peers import pgbench
from registry import Figure, Result, at_least, at_most, subject

CLIENTS = (1, 8, 32)


@subject(
    Figure("pg.read.64tasks", "reads/s", "point reads by 64 tasks over 4 connections",
           "pgbench -S -M prepared, best of 1, 8, 32 clients", at_least(1.5)),
    Figure("pg.read.cpu", "us/read", "CPU time of our process per read in the same runs",
           "pgbench's CPU time per read at the client count that was quickest", at_most(1.5), less_is_better=True),
)
def by_64_tasks(bench):
    server = bench.postgres()
    sides = {"ours": lambda seconds, _: bench.load(
        "pg-read", "--tasks", 64, "--connections", 4, "--database", server.connection, "--rows", bench.rows,
        seconds=seconds, server=server)}
    for clients in CLIENTS:
        sides[f"pgbench c{clients}"] = lambda seconds, _, clients=clients: pgbench(
            server, clients, seconds, scale=bench.settings.scale)
    rounds = bench.rounds(sides)
    peers = {side: rounds.of(side, "rate") for side in sides if side != "ours"}
    reads = Result("pg.read.64tasks", rounds.of("ours", "rate"), peers, bench.beside(rounds, sides))
    quickest = reads.best_peer
    cpu = Result("pg.read.cpu", rounds.of("ours", "cpu_us"), {quickest: rounds.of(quickest, "cpu_us")})
    return [reads, cpu]


@subject(
    Figure("pg.read.1task", "reads/s",
           "point reads by one task over one connection; client and server pinned alike on both sides",
           "pgbench -S -M prepared -c 1", at_least(0.9)),
)
def by_one_task(bench):
    cores = sorted(os.sched_getaffinity(0))
    server = bench.postgres(cores=str(cores[-1]))
    # `onecore`: client and server share a core; `twocores`: each has its own.
    placements = {"onecore": str(cores[-1])}
    if len(cores) > 1:
        placements["twocores"] = str(cores[0])
    results = []
    for name, client in placements.items():
        sides = {
            "ours": lambda seconds, _, client=client: bench.load(
                "pg-read", "--tasks", 1, "--connections", 1, "--database", server.connection, "--rows", bench.rows,
                seconds=seconds, server=server, cores=client),
            "pgbench c1": lambda seconds, _, client=client: pgbench(
                server, 1, seconds, scale=bench.settings.scale, cores=client),
        }
        rounds = bench.rounds(sides)
        results.append(Result(
            f"pg.read.1task.{name}", rounds.of("ours", "rate"), {"pgbench c1": rounds.of("pgbench c1", "rate")},
            bench.beside(rounds, sides)))
    return results
