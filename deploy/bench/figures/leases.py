"""Leases beside etcd's transactions: create if absent, then delete."""

import os

from etcd import Etcd, cycles
from registry import Figure, Result, at_least, subject

CALLERS = (1, 8, 64)
NODES = 20
# Callers of all nodes together.
TASKS = 1280


@subject(
    Figure("lease.acquire_release.durable", "cycles/s",
           f"leases acquired and ended by {TASKS} callers of {NODES} nodes on one PostgreSQL, each with its epoch and "
           "fenced by its node's incarnation",
           "etcd, a transaction that creates a key if it is absent and one that deletes it, best of 1, 8, 64 callers",
           at_least(3)),
)
def acquire_release(bench):
    server, etcd = bench.postgres(), bench.server(Etcd)
    frames = os.path.join(bench.folder, "etcd-frames")
    os.makedirs(frames, exist_ok=True)
    sides = {"ours": lambda seconds, name: bench.load(
        "lease-cycles", "--tasks", TASKS, "--nodes", NODES, "--database", server.connection, "--prefix", name,
        seconds=seconds, server=server)}
    for callers in CALLERS:
        sides[f"etcd c{callers}"] = lambda seconds, name, callers=callers: cycles(
            etcd, callers, seconds, os.path.join(frames, name))
    rounds = bench.rounds(sides)
    peers = {side: rounds.of(side, "rate") for side in sides if side != "ours"}
    return [Result("lease.acquire_release.durable", rounds.of("ours", "rate"), peers, bench.beside(rounds, sides))]
