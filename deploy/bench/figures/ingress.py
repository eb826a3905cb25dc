"""One of five workers slowed ten-fold: the slowest of a hundred requests through HAProxy."""

import os
import re
import socket

from errors import Stop
from local_cluster import LocalCluster, PlainBalancer
from processes import run
from registry import Figure, Result, at_most, subject
from servers import need
from throttle import Throttle

WORKERS = 5
# Of one core, in each period of 50 ms: five equal ones have half of two cores, the rest is for all others. The slow
# one has a tenth of that, 1 ms, the least that the kernel gives.
PERIOD_US, EQUAL_US, SLOW_US = 50_000, 10_000, 1_000
SLOW = "worker-3"
CONNECTIONS = 32
FILES, BYTES = 100, 1024
# Until the weights follow; the figure is about a node that is slow, not about the moment it becomes so.
SETTLE = 12

# Nine downloads of small files, then an upload under a name that was never there.
SCRIPT = """
local n = 0
local body = string.rep("x", {size})
wrk.headers["Authorization"] = "Bearer {key}"
request = function()
  n = n + 1
  if n % 10 == 0 then return wrk.format("PUT", "/files/{name}-" .. n, nil, body) end
  return wrk.format("GET", "/files/small-" .. n % {files})
end
"""


@subject(
    Figure("ingress.slow", "ms", f"99 of 100 requests (nine GETs and a PUT of {BYTES} bytes in turn, {CONNECTIONS} "
           f"connections) through HAProxy, one of {WORKERS} workers with a tenth of the others' processor time",
           "the same with equal workers", at_most(2), less_is_better=True))
def slow(bench):
    program = os.path.join(os.path.dirname(bench.program), "flotilla")
    cluster = LocalCluster(program, os.path.join(bench.folder, "ingress"), WORKERS)
    plain = PlainBalancer(os.path.join(bench.folder, "plain"), cluster)
    throttles = {}
    try:
        cluster.start()
        plain.start()
        throttles = {name: Throttle(name, pid) for name, pid in cluster.pids().items()}
        return [measure(bench, cluster, plain, throttles)]
    finally:
        # A worker with hardly any time would also take hardly any to stop.
        for throttle in throttles.values():
            throttle.end()
        plain.stop()
        cluster.stop()


def measure(bench, cluster, plain, throttles):
    load = Load(bench, cluster.key_of("bench"))
    load.fill(cluster.files)
    settle = 1 if bench.settings.smoke else SETTLE

    def side(address, slow_us):
        def one(seconds, name):
            for worker, throttle in throttles.items():
                throttle.allow(slow_us if worker == SLOW else EQUAL_US, PERIOD_US)
            load.run(address, settle, f"{name}-before")
            if slow_us == EQUAL_US and not bench.settings.smoke:
                wait_for_equals(cluster, load, address, name)
            sample = load.run(address, max(seconds, 1), name)
            # Round robin overloads the slow one until its health checks fail; that is what it is shown for.
            if address == cluster.files and sample["failed"] > sample["done"] / 1000:
                raise Stop(f"ingress.slow: {sample['failed']:.0f} of {sample['done']:.0f} requests failed")
            return {**sample, "weight": weights(cluster)[SLOW]}
        return one

    sides = {
        "ours": side(cluster.files, SLOW_US),
        "equal workers": side(cluster.files, EQUAL_US),
        "round robin": side(plain.files, SLOW_US),
    }
    rounds = bench.rounds(sides)
    beside = bench.beside(rounds, sides)
    for name in sides:
        for key in ("rate", "weight", "failed"):
            values = sorted(rounds.of(name, key))
            beside[name][key] = values[len(values) // 2]
    return Result("ingress.slow", rounds.of("ours", "p99_ms"),
                  {"equal workers": rounds.of("equal workers", "p99_ms")}, beside)


def wait_for_equals(cluster, load, address, name):
    """The weight of a node that was slow comes back slowly."""
    for turn in range(20):
        if min(weights(cluster).values()) >= 90:
            return
        load.run(address, 3, f"{name}-back{turn}")
    raise Stop(f"equal workers do not have equal weights again after a minute: {weights(cluster)}")


def weights(cluster):
    """What each worker tells its balancer now, in percent; 0 for one that takes nothing."""
    found = {}
    for name, port in cluster.agents().items():
        if name not in cluster.pids():
            continue
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            line = connection.makefile().readline()
        said = re.search(r"(\d+)%", line)
        found[name] = int(said.group(1)) if said else 0
    return found


class Load:
    def __init__(self, bench, key):
        self.bench = bench
        self.key = key
        self.script = os.path.join(bench.folder, "ingress.lua")

    def fill(self, address):
        """The small files; written by the load itself would mean to trust it."""
        body = os.path.join(self.bench.folder, "small")
        with open(body, "wb") as file:
            file.write(b"x" * BYTES)
        run([need("curl"), "-sS", "-f", "-o", "/dev/null", "-H", f"Authorization: Bearer {self.key}", "-T", body,
             f"{address}/files/small-[0-{FILES - 1}]"], "curl", 120)

    def run(self, address, seconds, name):
        with open(self.script, "w", encoding="ascii") as file:
            file.write(SCRIPT.format(size=BYTES, key=self.key, name=name, files=FILES))
        # Whole seconds; one that a slow worker still owes an answer at the end is waited for.
        seconds = max(1, round(seconds))
        output = run(
            [need("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "--latency", "-s",
             self.script, address], "wrk", seconds + 60).output
        sample = {"rate": number(output, r"Requests/sec:\s+([\d.]+)"), "p50_ms": latency(output, "50%"),
                  "p99_ms": latency(output, "99%")}
        refused = number(output, r"Non-2xx or 3xx responses: (\d+)", 0)
        broken = number(output, r"Socket errors: connect \d+, read (\d+)", 0)
        return {**sample, "failed": refused + broken, "done": number(output, r"(\d+) requests in")}


def number(text, pattern, otherwise=None):
    found = re.search(pattern, text)
    if found is None and otherwise is None:
        raise Stop(f"wrk did not print what fits {pattern!r}: {text[-300:]}")
    return float(found.group(1)) if found else otherwise


def latency(text, percentile):
    found = re.search(rf"^\s*{percentile}\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    if found is None:
        raise Stop(f"wrk printed no latency at {percentile}: {text[-300:]}")
    return float(found.group(1)) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[found.group(2)]
