"""How even the standing work is while nodes come and go, and what was moved for it."""

import os

from registry import Figure, Result, ours_at_most, subject

NODES = 5
# Times of the rules and the two minutes are divided by it; heartbeats, views, statements and hand-offs are not.
PACE = 8
CHANGES = 4


@subject(
    Figure("shard.balance", "ratio",
           f"256 shards of uneven and shifting load on {NODES} nodes that join, leave and are killed: the most loaded "
           "over the mean, by true load, two minutes after each change; the worst of all changes",
           goal=ours_at_most(1.15), less_is_better=True),
    Figure("shard.balance.moves", "ratio",
           "moves over those that nobody could do without, counted at the moment of each change; all changes together",
           goal=ours_at_most(1.05), less_is_better=True),
)
def balance(bench):
    server = bench.postgres()
    smoke = bench.settings.smoke
    samples = []
    for number in range(1 if smoke else bench.settings.rounds):
        samples.append(one(bench, server, number + 1, smoke))
        bench.say("  round {}: worst {worst:.3f}, {moves:.0f} moves of {needed:.0f} needed".format(
            number + 1, **samples[-1]))
    worst = max(sample["worst"] for sample in samples)
    moves = sum(sample["moves"] for sample in samples) / max(1, sum(sample["needed"] for sample in samples))
    beside = {"ours": {"worst_least": min(sample["worst"] for sample in samples),
                       "moves": sum(sample["moves"] for sample in samples),
                       "needed": sum(sample["needed"] for sample in samples)}}
    return [
        Result("shard.balance", [worst], beside=beside),
        Result("shard.balance.moves", [moves], beside=beside),
    ]


def one(bench, server, seed, smoke):
    name = f"balance_{seed}"
    mount = os.path.join(bench.folder, name)
    os.makedirs(mount)
    server.sql(f"create database {name}")
    try:
        return bench.load(
            "shard-balance", "--database", server.connection.replace("dbname=postgres", f"dbname={name}"),
            "--mount", mount, "--seed", seed, "--nodes", 3 if smoke else NODES, "--changes", 1 if smoke else CHANGES,
            "--pace", 40 if smoke else PACE, server=server)
    finally:
        server.sql(f"drop database {name} with (force)")
