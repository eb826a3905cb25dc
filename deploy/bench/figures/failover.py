"""Work of a node that was killed or paused: how long until another node has claimed it."""

import math
import random
import signal
from statistics import median

from cluster import NODES, Cluster
from errors import Stop
from etcd import Etcd
from etcd_locks import Locks, QuickEtcd
from registry import Figure, Result, ours_at_most, subject
from speakers import pause, wake

# In each round; five rounds make 100 kills and 40 pauses.
KILLS = 20
PAUSES = 8


def percentile(values, share):
    """The nearest rank: of 100 values the 99th is the second largest, of 40 it is the largest."""
    ranked = sorted(values)
    return ranked[math.ceil(share * len(ranked)) - 1]


def described(first, last=()):
    shown = {"p50_ms": median(first), "max_ms": max(first), "min_ms": min(first), "times": len(first)}
    # Until everything that it held was claimed.
    return {**shown, "all_p50_ms": median(last), "all_max_ms": max(last)} if last else shown


def told(bench, side, first, last=()):
    shown = "  ".join(f"{key} {value:.4g}" for key, value in described(first, last).items())
    bench.say(f"  {side}: p99 {percentile(first, 0.99):.4g}  {shown}")


@subject(
    Figure("failover.kill9", "ms",
           f"p99 of the time from kill -9 of a node to the first claim, by another one, of what it held; {NODES} nodes",
           "etcd, one of five clients (etcdctl lock) killed while it holds the lock, until another has it; the "
           "shortest session that etcd grants", ours_at_most(1000), less_is_better=True),
)
def kill9(bench):
    number, rounds, peers = KILLS, bench.settings.rounds, {"etcd": Etcd, "etcd, election timeout 100 ms": QuickEtcd}
    if bench.settings.smoke:
        number, rounds, peers = 1, 1, {"etcd": Etcd}
    sides = {"ours": lambda: kills(bench, number)}
    for label, kind in peers.items():
        sides[label] = lambda kind=kind: (locks(bench, bench.server(kind), number), [])
    times = {side: ([], []) for side in sides}
    for turn in range(rounds):
        for side in list(sides) if turn % 2 == 0 else reversed(sides):
            for all_times, new in zip(times[side], sides[side]()):
                all_times += new
            told(bench, side, *times[side])
    beside = {side: described(*times[side]) for side in sides}
    p99 = {side: [percentile(times[side][0], 0.99)] for side in sides}
    return [Result("failover.kill9", p99.pop("ours"), p99, beside)]


def kills(bench, number):
    """Kills the node that holds most, starts it again, and waits for full chains; again and again.

    A short run does not wait: the survivors take the work as soon as the first one's chain is long enough.
    """
    first, last = [], []
    with Cluster(bench, bench.postgres(), f"kill_{bench.next_number()}") as cluster:
        for _ in range(number):
            if not bench.settings.smoke:
                cluster.settle()
            victim, held = cluster.biggest_holder()
            # Anywhere between two heartbeats.
            cluster.listen(random.uniform(0, 0.25))
            since = cluster.nodes[victim].signal(signal.SIGKILL)
            one, every = cluster.claimed_elsewhere(victim, held, since)
            cluster.nodes[victim].bury()
            first.append(one)
            last.append(every)
            cluster.start(victim)
            cluster.until(f"the return of {victim}", 30, lambda victim=victim: victim in cluster.incarnations)
    return first, last


def locks(bench, server, number):
    with Locks(bench, server, f"etcd-{bench.next_number()}") as clients:
        bench.say(f"  etcd grants sessions of {clients.granted_ttl()} s at least")
        return [clients.kill() for _ in range(number)]


@subject(
    Figure("failover.pause", "ms",
           f"p99 of the time from SIGSTOP of a node to the first claim, by another one, of what it held; {NODES} "
           "nodes; the woken node tried to commit all of it, was refused, and joined again",
           None, ours_at_most(6000), less_is_better=True),
)
def paused(bench):
    number = 1 if bench.settings.smoke else PAUSES * bench.settings.rounds
    first, last, refused = [], [], 0
    with Cluster(bench, bench.postgres(), f"pause_{bench.next_number()}") as cluster:
        for _ in range(number):
            if not bench.settings.smoke:
                cluster.settle()
            victim, held = cluster.biggest_holder()
            cluster.listen(random.uniform(0, 0.25))
            [since] = pause([cluster.nodes[victim]])
            one, every = cluster.claimed_elsewhere(victim, held, since)
            first.append(one)
            last.append(every)
            refused += woken(cluster, victim, len(held))
            if len(first) % PAUSES == 0:
                told(bench, "ours", first, last)
    beside = {"ours": {**described(first, last), "commits_refused": refused}}
    return [Result("failover.pause", [percentile(first, 0.99)], {}, beside)]


def woken(cluster, victim, held):
    """Wakes it with the order to commit all that it held in its hands; answers how many commits were refused."""
    dead = cluster.incarnations[victim]
    before = len(cluster.committed)
    cluster.nodes[victim].order("commit")
    wake([cluster.nodes[victim]])
    cluster.until(f"{held} commits of the woken {victim}", 30, lambda: len(cluster.committed) - before >= held)
    cluster.until(f"the return of {victim}", 30, lambda: cluster.incarnations.get(victim, dead) > dead)
    tried = cluster.committed[before:]
    wrong = [commit for commit in tried if commit[3] != "refused"]
    if wrong or any(commit[0] != victim for commit in tried):
        raise Stop(f"{victim} was declared dead, woke, and its commits were not refused: {wrong or tried}")
    return len(tried)
