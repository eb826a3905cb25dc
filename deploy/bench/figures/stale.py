"""What evicted nodes can still commit: after evictions in the middle of writes, and after pauses of processes."""

import json
import os
import signal
import subprocess
import time

from counted import CountingPostgres
from errors import Stop
from nodes import Nodes
from processes import run, stop
from registry import Figure, Result, ours_at_least, ours_at_most, subject

EVICTIONS = 10_000
# Evictions of one run of the load; several, so that no run waits for long and tables stay small.
PIECE = 2_500
# Real processes: so many are paused at a time, and so often; and the nodes that notice.
PAUSED, BATCHES, WITNESSES = 12, 3, 3


class Counts:
    """Sums of what the loads report."""

    def __init__(self):
        self.sums = {}
        self.violations = []
        self.errors = []
        self.kinds = {}

    def add(self, report):
        for key, value in report.items():
            if isinstance(value, (int, float)):
                self.sums[key] = self.sums.get(key, 0) + value
        for kind, value in report["stale_by_kind"].items():
            self.kinds[kind] = self.kinds.get(kind, 0) + value
        self.violations += report["violations"]
        self.errors += report["errors"]

    def __getitem__(self, key):
        return self.sums.get(key, 0)

    @property
    def accepted(self):
        """By the answers, and by the order of the commits."""
        return self["stale_accepted"] + self["rows_after_death"]

    def __str__(self):
        return (f"{self['evictions']} evictions; alive {self['live_tried']} tried, {self['live_accepted']} accepted; "
                f"dead {self['stale_tried']} tried, {self['stale_accepted']} accepted; {self['rows_judged']} rows, "
                f"{self['rows_after_death']} after a death; {self['unknown']} unknown")


@subject(
    Figure("stale_commits.accepted", "commits",
           "commits that the database accepts from nodes that were evicted (by order, by accusation, by a joiner; "
           "processes that were paused until others evicted them), in every way that a node writes",
           goal=ours_at_most(0), less_is_better=True),
    Figure("stale_commits.tried", "commits", "such commits that were tried", goal=ours_at_least(1_001)),
    Figure("stale_commits.evictions", "evictions", "the evictions before which nodes were writing",
           goal=ours_at_least(EVICTIONS)),
)
def stale(bench):
    server = bench.server(CountingPostgres)
    prove(bench, server)
    counts = Counts()
    evictions, piece = (100, 100) if bench.settings.smoke else (EVICTIONS, PIECE)
    for number in range(evictions // piece):
        counts.add(evict(bench, server, f"stale_{number}", piece))
        bench.say(f"  evicted in the middle of writes: {counts}")
    paused = Counts()
    pause(bench, server, paused)
    bench.say(f"  paused until evicted: {paused}")
    for error in [*counts.errors, *paused.errors][:10]:
        bench.say(f"  unknown: {error}")
    for violation in [*counts.violations, *paused.violations]:
        bench.say(f"  VIOLATION: {violation}")
    bench.say("  tried by kind: " + ", ".join(f"{kind} {count}" for kind, count in sorted(counts.kinds.items())))
    beside = {"ours": {
        "live_accepted": counts["live_accepted"], "accusations": counts["accusations"],
        "joiners_accusations": counts["joiners_accusations"], "rows_judged": counts["rows_judged"],
        "paused_processes": paused["evictions"], "tried_by_woken": paused["stale_tried"]}}
    return [
        Result("stale_commits.accepted", [counts.accepted + paused.accepted], beside=beside),
        Result("stale_commits.tried", [counts["stale_tried"] + paused["stale_tried"]]),
        Result("stale_commits.evictions", [counts["evictions"] + paused["evictions"]]),
    ]


def evict(bench, server, database, evictions, *options):
    done = run([bench.program, "stale-commits", "--database", server.database(database), "--evictions", str(evictions),
                "--seconds", "120", *options], "flotilla-benchmarks stale-commits", 180)
    server.sql(f"DROP DATABASE {database} WITH (FORCE)")
    return json.loads(done.output)


def prove(bench, server):
    """A load that cannot notice a mistake would show nothing: with naive statements it has to."""
    counts = Counts()
    counts.add(evict(bench, server, "stale_broken", 40 if bench.settings.smoke else 300, "--broken"))
    bench.say(f"  with naive statements: {counts}")
    if counts["stale_accepted"] == 0 or counts["rows_after_death"] == 0:
        raise Stop("with naive statements the load noticed nothing: it shows nothing")


def pause(bench, server, counts):
    """Processes that write are stopped until the nodes of their cluster have evicted them, then woken."""
    batches, paused, witnesses = (1, 2, 2) if bench.settings.smoke else (BATCHES, PAUSED, WITNESSES)
    folder = os.path.join(bench.folder, "stale-nodes")
    database = server.database("stale_paused")
    with Nodes(bench.flotilla, folder, database, witnesses):
        for batch in range(batches):
            writers = []
            try:
                for number in range(paused):
                    writers.append(Writer(bench, database, f"{batch}-{number}"))
                for writer in writers:
                    writer.joined()
                # So that they are in the middle of it.
                time.sleep(0.5)
                for writer in writers:
                    writer.process.send_signal(signal.SIGSTOP)
                wait_until_dead(server, [writer.incarnation for writer in writers])
                for writer in writers:
                    writer.wake()
                for writer in writers:
                    counts.add(writer.report())
            finally:
                for writer in writers:
                    writer.close()


class Writer:
    def __init__(self, bench, database, name):
        self.told = os.path.join(bench.folder, f"told-{name}")
        self.log = os.path.join(bench.folder, f"writer-{name}.log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", bench.program, "woken-writer", "--database", database,
                 "--told", self.told], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
                start_new_session=True)
        self.incarnation = None

    def joined(self):
        self.incarnation = int(self.line().split()[1])

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise Stop(f"woken-writer ended with {self.process.returncode}: {log.read()[-500:]}")
        return line

    def wake(self):
        """It is dead, and is told so before it can do anything."""
        with open(self.told, "x", encoding="ascii"):
            pass
        self.process.send_signal(signal.SIGCONT)

    def report(self):
        return json.loads(self.line())

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            stop(self.process, signal.SIGKILL, 10, "woken-writer")


def wait_until_dead(server, incarnations):
    end = time.monotonic() + 20
    listed = ", ".join(str(incarnation) for incarnation in incarnations)
    question = f"SELECT count(*) FROM flotilla.member WHERE status <> 'dead' AND incarnation IN ({listed})"
    while server.inside("stale_paused", question) != [["0"]]:
        if time.monotonic() > end:
            raise Stop("paused members were not evicted within 20 s")
        time.sleep(0.1)
