"""Healthy nodes that were declared dead, while they or their database were paused, stopped, or lied about the time."""

import time

from cluster import FULL_CHAIN, NODES, Cluster
from errors import Stop
from faulty_postgres import FaultyPostgres
from registry import Figure, Result, ours_at_most, subject
from speakers import pause, wake

# Seconds. A node may be silent for less than the slow window of 5 s; the database for as long as it likes.
PAUSES = (1, 2, 3, 4)
OUTAGES = (0.1, 0.3, 0.6, 5, 60, 300)
# What the database's clock is off, one after the other: each is a step of a minute.
OFFSETS = (60, 0, -60, 0)
# How long nobody sees the clock that is stepped meanwhile.
HIDDEN = 3
# Longer than the slow window: must be found, or nothing of this counts anything.
CONTROL = 8


@subject(
    Figure("false_evictions", "evictions",
           f"of {NODES} nodes by each other, in turn: pauses of 1 to 4 s of one and of all; PostgreSQL restarted and "
           "frozen for 0.1 s to 5 min, its connections cut, its clock stepped by ±60 s while it runs, is stopped, and "
           "is frozen", None, ours_at_most(0), less_is_better=True),
)
def false_evictions(bench):
    server = bench.server(FaultyPostgres)
    with Cluster(bench, server, "evictions") as cluster:
        steps = [step for step in faults(cluster, server) if not bench.settings.smoke or step[0] in SMOKE]
        started = time.monotonic()
        for name, fault in steps:
            cluster.settle(120)
            before = evictions(cluster)
            bench.say(f"  {time.monotonic() - started:5.0f} s  {name}")
            fault()
            # Until everybody could have accused everybody. What they have not noticed yet looks like rest.
            cluster.listen(FULL_CHAIN)
            cluster.settle(120)
            for eviction in evictions(cluster)[len(before):]:
                bench.say(f"  evicted after “{name}”: {' '.join(eviction)}")
        found = evictions(cluster)
        control(bench, cluster, len(found))
    beside = {"ours": {"faults": len(steps), "seconds": time.monotonic() - started}}
    return [Result("false_evictions", [len(found)], {}, beside)]


SMOKE = ("one node paused for 1 s", "PostgreSQL frozen for 0.6 s", "clock at +60 s")


def faults(cluster, server):
    """A name and what is done, in turn; the cluster comes to rest before each."""
    nodes = list(cluster.nodes.values())
    for seconds in PAUSES:
        yield f"one node paused for {seconds} s", lambda s=seconds: stopped([nodes[s % NODES]], s)
        yield f"all nodes paused for {seconds} s", lambda s=seconds: stopped(nodes, s)
    for seconds in OUTAGES:
        yield f"PostgreSQL frozen for {seconds:g} s", lambda s=seconds: server.freeze(s)
        yield f"PostgreSQL stopped for {seconds:g} s", lambda s=seconds: server.restart(s)
    yield "all connections cut", lambda: server.cut(cluster.name)
    for offset in OFFSETS:
        yield f"clock at {offset:+d} s", lambda o=offset: server.step(o)
    for offset in OFFSETS:
        yield f"clock at {offset:+d} s after a stop", lambda o=offset: server.restart(HIDDEN, o)
        yield f"clock at {offset:+d} s after a freeze", lambda o=offset: server.freeze(HIDDEN, o)


def stopped(nodes, seconds):
    pause(nodes)
    try:
        time.sleep(seconds)
    finally:
        wake(nodes)


def evictions(cluster):
    """Every death, as the database knows it; nobody left by himself, so all of them are evictions."""
    cluster.hear_all()
    found = cluster.sql("""select incarnation, name, reason from flotilla.departed order by died_at""")
    known = {int(incarnation) for incarnation, *_ in found}
    missed = [left for left in cluster.left if left[1] not in known]
    if missed:
        raise Stop(f"nodes found themselves dead, and the database does not know it: {missed}")
    return found


def control(bench, cluster, before):
    """What is longer than the slow window must be found, and what was held all the time must still be held."""
    if before == 0:
        held_still(cluster)
    cluster.settle()
    if bench.settings.smoke:
        return
    bench.say(f"  control: one node paused for {CONTROL} s is to be evicted")
    stopped([cluster.nodes[cluster.biggest_holder()[0]]], CONTROL)
    cluster.settle(120)
    after = len(evictions(cluster))
    if after != before + 1:
        raise Stop(f"a pause of {CONTROL} s was to evict one node, and evicted {after - before}")


def held_still(cluster):
    """The holder commits all it was granted before the faults: without an eviction, nothing may be refused."""
    victim, held = cluster.biggest_holder()
    cluster.nodes[victim].order("commit")
    cluster.until(f"{len(held)} commits of {victim}", 30, lambda: len(cluster.committed) >= len(held))
    refused = [commit for commit in cluster.committed if commit[3] != "accepted"]
    if refused:
        raise Stop(f"{victim} lived all the time and lost leases: {refused}")
