"""What is measured beside ours: pgbench, psql, redis-benchmark. One that fails stops the run."""

import csv
import io
import re

from errors import Stop
from processes import run
from servers import need

# What pgbench -S sends, and one update of a row by its key.
UPDATE = """\\set aid random(1, 100000 * :scale)
\\set delta random(-5000, 5000)
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
"""


def pgbench(server, clients, seconds, script=None, scale=1, cores=None):
    """One run of pgbench, prepared statements, one thread; pgbench counts whole seconds."""
    arguments = [f"{server.bin}/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1",
                 "-T", str(max(1, round(seconds))), "-s", str(scale)]
    arguments += ["-S"] if script is None else ["-f", script]
    what = f"pgbench -c {clients}"
    before = server.cpu()
    finished = run([*arguments, server.connection], what, 60 + 3 * seconds, cores)
    done = reading(what, finished.output, r"transactions actually processed: (\d+)")
    failed = reading(what, finished.output, r"number of failed transactions: (\d+)")
    rate = reading(what, finished.output, r"tps = ([\d.]+) \(without initial connection time\)")
    if failed or done < 1 or rate <= 0:
        raise Stop(f"{what}: {done:.0f} transactions, {failed:.0f} failed: {finished.output[-300:]}")
    return {
        "rate": rate,
        "cpu_us": finished.cpu_seconds * 1e6 / done,
        "mean_ms": reading(what, finished.output, r"latency average = ([\d.]+) ms"),
        "server_us": (server.cpu() - before) * 1e6 / done,
    }


def pgbench_count(server, clients, transactions, script):
    """One run of so many transactions of each client, prepared; answers transactions a second."""
    what = f"pgbench -c {clients} -t {transactions}"
    before = server.cpu()
    finished = run([f"{server.bin}/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-t",
                    str(max(1, transactions)), "-f", script, server.connection], what, 300)
    failed = reading(what, finished.output, r"number of failed transactions: (\d+)")
    rate = reading(what, finished.output, r"tps = ([\d.]+) \(without initial connection time\)")
    if failed or rate <= 0:
        raise Stop(f"{what}: {failed:.0f} failed: {finished.output[-300:]}")
    return {"rate": rate, "server_us": (server.cpu() - before) * 1e6 / max(1, transactions * clients)}


def reading(what, text, pattern):
    found = re.search(pattern, text)
    if not found:
        raise Stop(f"{what} did not print what fits {pattern!r}: {text[-300:]}")
    return float(found.group(1))


def redis_benchmark(server, requests, clients, keys, *command):
    """One run of redis-benchmark without pipelining; the command's keys are spread over `keys`."""
    arguments = [need("redis-benchmark"), "-h", "127.0.0.1", "-p", str(server.port), "-n", str(requests),
                 "-c", str(clients), "-P", "1", "-r", str(keys), "--csv", *command]
    what = f"redis-benchmark {command[0]}"
    before = server.cpu()
    finished = run(arguments, what, 120)
    table = [row for row in csv.reader(io.StringIO(finished.output)) if len(row) > 4]
    if len(table) != 2 or table[0][1] != "rps":
        raise Stop(f"{what} printed no table: {finished.output[-300:]}")
    row = dict(zip(table[0], table[1]))
    if float(row["rps"]) <= 0:
        raise Stop(f"{what}: {row}")
    return {
        "rate": float(row["rps"]),
        "cpu_us": finished.cpu_seconds * 1e6 / requests,
        "p50_ms": float(row["p50_latency_ms"]),
        "p99_ms": float(row["p99_latency_ms"]),
        "server_us": (server.cpu() - before) * 1e6 / requests,
    }
