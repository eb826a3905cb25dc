"""Durable updates of single rows, one a statement and combined, beside pgbench with the same update."""

import os

from peers import UPDATE, pgbench
from registry import Figure, Result, at_least, subject

CLIENTS = (1, 8, 32)


@subject(
    Figure("pg.update.64tasks", "updates/s", "durable updates by 64 tasks, one row a statement, over 32 connections",
           "pgbench prepared, best of 1, 8, 32 clients", at_least(0.95)),
    Figure("pg.update.batched", "updates/s",
           "the same by 512 tasks, whose rows the caller combines into statements of up to 50, over 8 connections",
           "the same pgbench", at_least(4)),
)
def updates(bench):
    server = bench.postgres()
    script = os.path.join(bench.folder, "update.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(UPDATE)

    def ours(load, tasks, connections):
        return lambda seconds, _: bench.load(
            load, "--tasks", tasks, "--connections", connections, "--database", server.connection, "--rows", bench.rows,
            seconds=seconds, server=server)

    sides = {"ours": ours("pg-update", 64, 32), "batched": ours("pg-update-batched", 512, 8)}
    for clients in CLIENTS:
        sides[f"pgbench c{clients}"] = lambda seconds, _, clients=clients: pgbench(
            server, clients, seconds, script, bench.settings.scale)
    # Each finds the table without the dead rows of the one before.
    rounds = bench.rounds(sides, before=lambda: server.sql("VACUUM pgbench_accounts", "CHECKPOINT"))
    peers = {side: rounds.of(side, "rate") for side in sides if side.startswith("pgbench")}
    return [
        Result("pg.update.64tasks", rounds.of("ours", "rate"), peers, bench.beside(rounds, ["ours", *peers])),
        Result("pg.update.batched", rounds.of("batched", "rate"), peers, bench.beside(rounds, ["batched", *peers])),
    ]
