"""The queue beside long reports: their snapshots keep vacuum from everything that dies meanwhile."""

import os
import subprocess
import time

from counted import CountingPostgres
from errors import Stop
from registry import Figure, Result, ours_at_most, subject
from steady import Steady

RATE = 800
MINUTES = 10
# Three at a time: each takes 120 s, and one begins every 40 s.
REPORT_SECONDS = 120
REPORTS = 3
HOT = ("ready", "claim", "later", "waiting", "job_key", "claim_slot", "job_progress")
# How long jobs ended, from the log of what ended: a look at all of it, every few seconds, under one snapshot.
REPORT = """
select date_trunc('minute', o.ended_at), o.status, count(*), avg(o.ended_at - j.created_at),
       percentile_cont(0.99) within group (order by o.ended_at - j.created_at)
from flotilla.outcome o join flotilla.job j on j.id = o.job group by 1, 2 order by 1, 2"""


@subject(
    Figure("job.pressure", "tuples",
           f"dead tuples in the hot tables at most, with {RATE} jobs a second for {MINUTES} minutes beside {REPORTS} "
           f"overlapping reports of {REPORT_SECONDS} s", goal=ours_at_most(10_000), less_is_better=True),
    Figure("job.pressure.end", "tuples", "the same, when all jobs have ended and the last reports still run",
           goal=ours_at_most(10_000), less_is_better=True),
    Figure("job.pressure.backlog", "jobs", "jobs that have not ended 5 s after the last one was enqueued",
           goal=ours_at_most(0), less_is_better=True),
)
def pressure(bench):
    server, redis = bench.server(CountingPostgres), bench.redis()
    seconds, report = bench.settings.pressure, 3 if bench.settings.smoke else REPORT_SECONDS
    rate = 100 if bench.settings.smoke else RATE
    name = f"pressure{bench.next_number()}"
    server.sql(f"create database {name}")
    server.sql("create extension pgstattuple", database=name)
    try:
        watch = Watch(server, name)
        with Steady(bench, server.to(name), name, rate, redis) as stream:
            reports = Reports(bench, server, name, report)
            try:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    reports.keep(end)
                    stream.listen(1)
                    watch.look()
                stopped = time.monotonic()
                over = stream.stop()
                # The last reports still run, and pin what they pin.
                watch.look()
                reports.check()
            finally:
                reports.stop()
        judge(bench, stream, server, name, over, watch, seconds * rate)
        return [
            Result("job.pressure", [watch.most], {}, {"ours": watch.beside(stream)}),
            Result("job.pressure.end", [watch.really[-1]], {}, {}),
            Result("job.pressure.backlog", [stream.unended(over, stopped + 5)], {}, {}),
        ]
    finally:
        server.sql(f"drop database {name} with (force)")


def judge(bench, stream, server, name, over, watch, expected):
    found = stream.faults(server, name)
    bench.say(f"  {over['done']} jobs ended of {over['answered']} answered; dead at most {watch.most} "
              f"(by counters {max(watch.counted)}), {watch.pinned:.0f} s the oldest snapshot")
    if found:
        raise Stop(f"job.pressure: {'; '.join(found)}")
    if not bench.settings.smoke and over["done"] < 0.95 * expected:
        bench.say(f"  only {over['done']} of {expected} jobs were sent: the submitters had to wait")


class Watch:
    """Dead tuples, each second, by two ways of counting.

    By pgstattuple, which reads the pages and counts all that are there, those that no vacuum may remove yet as well;
    and by the server's counters, which are behind: what a table lost by TRUNCATE may stay in them for half a minute.
    """

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.counted = []
        self.really = []
        self.pinned = 0.0

    def look(self):
        rows = self.server.sql(
            "select coalesce(sum(n_dead_tup), 0) from pg_stat_user_tables where schemaname = 'flotilla' "
            f"and relname in {HOT}", """
            select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0) from pg_stat_activity
            where backend_xmin is not null and pid <> pg_backend_pid() and datname = current_database()""",
            database=self.name)
        self.counted.append(int(rows[0][0]))
        self.pinned = max(self.pinned, float(rows[1][0]))
        pages = " + ".join(f"(select dead_tuple_count from pgstattuple('flotilla.{table}'))" for table in HOT)
        self.really.append(int(self.server.sql(f"select {pages}", database=self.name)[0][0]))

    @property
    def most(self):
        return max(self.really)

    def beside(self, stream):
        looks = stream.looks
        return {
            "by_counters_most": max(self.counted), "by_counters_end": self.counted[-1],
            "oldest_snapshot_s": self.pinned,
            "jobs_per_s": stream.rate(looks[0].at, looks[-1].at),
            "most_unended": max(look.answered - look.done for look in looks),
        }


class Reports:
    """Some that overlap evenly; each is a transaction with one snapshot."""

    def __init__(self, bench, server, name, seconds):
        self.server = server
        self.name = name
        self.seconds = seconds
        self.every = seconds / REPORTS
        self.next = time.monotonic()
        self.running = []
        self.errors = os.path.join(bench.folder, f"{name}.reports")

    def keep(self, end):
        """Begins the next one when it is due, none after the end."""
        if not self.next <= time.monotonic() < end:
            return
        self.next += self.every
        script = ["begin isolation level repeatable read"]
        looks = max(1, int(self.seconds // 10))
        for _ in range(looks):
            script += [REPORT, f"select pg_sleep({self.seconds / looks:.2f})"]
        script.append("commit")
        arguments = [f"{self.server.bin}/psql", "-v", "ON_ERROR_STOP=1", "-Xq", "-o", "/dev/null", "-d",
                     self.server.to(self.name), *(part for line in script for part in ("-c", line))]
        with open(self.errors, "ab") as errors:
            self.running.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True))

    def check(self):
        """None of them failed, so that each held its snapshot to its end."""
        for process in self.running:
            if process.poll() not in (None, 0):
                with open(self.errors, encoding="utf-8", errors="replace") as errors:
                    raise Stop(f"a report ended with {process.returncode}: {errors.read()[-300:]}")

    def stop(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait()
