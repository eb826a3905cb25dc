"""What keeping leases costs: nothing but the node's heartbeats, whether it holds one lease or a million."""

import json
import os
import signal
import subprocess
from statistics import median

from bench import Rounds
from counted import CountingPostgres
from errors import Stop
from processes import stop
from registry import Figure, Result, at_most, subject

HELD = (1, 1_000, 1_000_000)
SMOKE = (1, 100, 2_000)
WATCHED = 1_000
# A round is so many times the seconds of other figures: the sweeper's rounds are 10 s apart.
LONGER = 4
PERIOD = 0.25


class Holder:
    """A node without doors that holds leases, in a database of its own."""

    def __init__(self, bench, server, leases, *options):
        self.server = server
        self.leases = leases
        self.name = " ".join([str(leases), *options]).replace("--", "with ")
        self.database = f"held_{leases}_{len(options)}"
        self.before = None
        folder = os.path.join(bench.folder, self.database)
        os.makedirs(folder, exist_ok=True)
        # Told to stop when we die.
        command = ["setpriv", "--pdeathsig", "KILL", "--", bench.program, "held-leases", "--leases", str(leases),
                   "--database", server.database(self.database), "--mount", folder, *options]
        with open(f"{folder}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            text=True, start_new_session=True)
        self.log = f"{folder}.log"
        words = self.answer().split()
        if words[:2] != ["held", str(leases)]:
            raise Stop(f"held-leases holds {words}, not {leases}")
        self.rate = leases / float(words[3])

    def order(self, text):
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise Stop(f"held-leases ended with {self.process.returncode}: {log.read()[-500:]}")
        return line

    def begin(self, seconds):
        self.before = self.server.look(self.database)
        self.order(f"measure {seconds}")

    def sample(self):
        report = json.loads(self.answer())
        found = self.server.look(self.database).since(self.before)
        if report["held"] != self.leases:
            raise Stop(f"of {self.leases} leases {report['held']} are held")
        return {
            "period_us": found["server_cpu_us"] * PERIOD, "exec_us": found["exec_us"] * PERIOD,
            "statements": found["statements"], "wal_bytes": found["wal_bytes"],
            "cpu_us": report["cpu_microseconds"] * PERIOD, "p50_ms": report.get("p50_milliseconds"),
            "p99_ms": report.get("p99_milliseconds"), "resident_mib": report["resident_bytes"] / 2**20,
        }

    def end(self):
        """Gives all back, in order; answers leases a second."""
        self.order("end")
        seconds = float(self.answer().split()[3])
        self.process.wait(60)
        return self.leases / max(seconds, 1e-6)

    def close(self):
        if self.process.poll() is None:
            stop(self.process, signal.SIGKILL, 10, "held-leases")


@subject(
    Figure("lease.held", "us/period",
           "CPU time of PostgreSQL's sessions in each heartbeat's period (250 ms) for a node that holds 1, 1,000, "
           "1,000,000 leases: all that the node asks, not the heartbeat alone",
           "the same node with one lease, in the same seconds", at_most(1.2), less_is_better=True),
    Figure("lease.watched", "us/period",
           f"the same for a node that leads and holds {WATCHED} leases with deadlines: it reads a page of them in each "
           "period",
           "the same node with one lease without a deadline", less_is_better=True),
)
def held(bench):
    server = bench.server(CountingPostgres)
    holders = []
    try:
        for leases in SMOKE if bench.settings.smoke else HELD:
            holders.append(Holder(bench, server, leases))
        watched = Holder(bench, server, WATCHED, "--deadlines")
        holders.append(watched)
        for holder in holders:
            bench.say(f"  {holder.name} leases acquired, {holder.rate:.0f} a second")
        # The rows are new: without this the first round would pay for their hint bits and statistics.
        for holder in holders:
            server.inside(holder.database, "VACUUM ANALYZE flotilla.lease")
        server.sql("CHECKPOINT")
        samples = measure(bench, holders)
        for holder in holders:
            bench.say(f"  {holder.name} leases given back, {holder.end():.0f} a second")
    finally:
        for holder in holders:
            holder.close()
    one, *_ = holders
    names = {holder: "lease.watched" if holder is watched else f"lease.held.{holder.leases}" for holder in holders}
    return [
        Result(name, samples.of(holder, "period_us"), {"one lease": samples.of(one, "period_us")},
               {"ours": seen(samples, holder), "one lease": seen(samples, one)})
        for holder, name in names.items()]


def measure(bench, holders):
    """All at the same time, so that all have the same machine: together they use a hundredth of a core."""
    samples = {holder: [] for holder in holders}
    for number in range(bench.settings.rounds):
        for holder in holders:
            holder.begin(bench.settings.seconds * LONGER)
        for holder in holders:
            sample = holder.sample()
            samples[holder].append(sample)
            shown = "  ".join(f"{key} {value:.5g}" for key, value in sample.items() if value is not None)
            bench.say(f"  round {number + 1}  {holder.name} held: {shown}")
    return Rounds(samples)


def seen(rounds, side):
    samples = rounds.samples[side]
    return {key: median(sample[key] for sample in samples)
            for key in samples[0] if key != "period_us" and all(sample[key] is not None for sample in samples)}
