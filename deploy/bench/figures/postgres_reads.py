"""Point reads through the pool beside pgbench -S."""

import os

from peers import pgbench
from registry import Figure, Result, at_least, at_most, subject

CLIENTS = (1, 8, 32)


# Where our tasks run: on Swift's own threads, or on the thread of the driver's loop, where the answers arrive.
PLACES = {"threads": [], "onloop": ["--on-loop"]}


def ours(bench, server, tasks, connections, place, cores=None):
    return lambda seconds, _: bench.load(
        "pg-read", "--tasks", tasks, "--connections", connections, "--database", server.connection,
        "--rows", bench.rows, *PLACES[place], seconds=seconds, server=server, cores=cores)


@subject(
    Figure("pg.read.64tasks", "reads/s",
           "point reads by 64 tasks over 4 connections; `onloop`: the tasks run on the thread of the driver's loop, "
           "`threads`: on Swift's own",
           "pgbench -S -M prepared, best of 1, 8, 32 clients", at_least(1.5)),
    Figure("pg.read.cpu", "us/read", "CPU time of our process per read in the same runs",
           "pgbench's CPU time per read at the client count that was quickest", at_most(1.5), less_is_better=True),
)
def by_64_tasks(bench):
    server = bench.postgres()
    sides = {place: ours(bench, server, 64, 4, place) for place in PLACES}
    for clients in CLIENTS:
        sides[f"pgbench c{clients}"] = lambda seconds, _, clients=clients: pgbench(
            server, clients, seconds, scale=bench.settings.scale)
    rounds = bench.rounds(sides)
    peers = {side: rounds.of(side, "rate") for side in sides if side not in PLACES}
    results = []
    for place in PLACES:
        reads = Result(f"pg.read.64tasks.{place}", rounds.of(place, "rate"), peers, bench.beside(rounds, sides))
        quickest = reads.best_peer
        results += [reads, Result(
            f"pg.read.cpu.{place}", rounds.of(place, "cpu_us"), {quickest: rounds.of(quickest, "cpu_us")})]
    return results


@subject(
    Figure("pg.read.1task", "reads/s",
           "point reads by one task on the driver's loop, over one connection; client and server pinned alike on both "
           "sides",
           "pgbench -S -M prepared -c 1", at_least(0.9)),
    Figure("pg.read.1task_threads", "reads/s", "the same by a task on Swift's own threads",
           "pgbench -S -M prepared -c 1"),
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
        sides = {place: ours(bench, server, 1, 1, place, client) for place in PLACES}
        sides["pgbench c1"] = lambda seconds, _, client=client: pgbench(
            server, 1, seconds, scale=bench.settings.scale, cores=client)
        rounds = bench.rounds(sides)
        for place, figure in (("onloop", "pg.read.1task"), ("threads", "pg.read.1task_threads")):
            results.append(Result(
                f"{figure}.{name}", rounds.of(place, "rate"), {"pgbench c1": rounds.of("pgbench c1", "rate")},
                bench.beside(rounds, sides)))
    return results
