"""What a cluster costs its database when nobody wants anything: statements and log of 20 idle nodes."""

import os
import time

from counted import CountingPostgres
from errors import Stop
from nodes import Nodes
from registry import Figure, Result, ours_at_most, subject

NODES = 20
# A round is so many times the seconds of other figures: all together are more than the minute in which everything has
# come once.
LONGER = 7
# After the last node is ready: the joins' views have been read, chains are long, and the shards of the first node have
# been spread, which begins when they have stayed with it for half a minute.
SETTLE = 60


@subject(
    Figure("membership.idle.statements", "statements/s",
           f"statements that {NODES} idle nodes (`flotilla serve` with Redis, nobody connected) send to PostgreSQL",
           goal=ours_at_most(100), less_is_better=True),
    Figure("membership.idle.wal", "B/s", "what the same nodes add to PostgreSQL's log, its own upkeep included",
           goal=ours_at_most(20_000), less_is_better=True),
)
def idle(bench):
    server, redis = bench.server(CountingPostgres), bench.redis()
    with Nodes(bench.flotilla, os.path.join(bench.folder, "idle"), server.database("idle"), NODES, redis.url):
        time.sleep(0.5 if bench.settings.smoke else SETTLE)
        server.forget()
        first = server.look()
        rounds = bench.rounds({"ours": lambda seconds, _: one(server, seconds * LONGER)})
        # One value over all rounds: what comes once a minute falls into some of them, and a median would hide it.
        whole = server.look().since(first)
        changes = server.inside("idle", "SELECT count(*) FROM flotilla.view_history WHERE at > now() - interval "
                                f"'{server.look().at - first.at} s'")
        for row in server.most_frequent():
            bench.say("    calls {}, {} ms, WAL {} B in {} records: {}".format(*row))
    if changes != [["0"]]:
        raise Stop(f"the nodes were not idle: {changes[0][0]} of them came, went, drained or took the lead meanwhile")
    beside = {"ours": {
        "exec_us": whole["exec_us"], "server_cpu_us": whole["server_cpu_us"],
        "statements_most": max(rounds.of("ours", "statements")), "wal_bytes_most": max(rounds.of("ours", "wal_bytes"))}}
    return [
        Result("membership.idle.statements", [whole["statements"]], beside=beside),
        Result("membership.idle.wal", [whole["wal_bytes"]], beside=beside),
    ]


def one(server, seconds):
    before = server.look()
    time.sleep(seconds)
    return server.look().since(before)
