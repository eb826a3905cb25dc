"""What a measurement works with: its servers, our loads, and rounds in alternation."""

import json
import os
import shutil
import signal
import sys
import tempfile
from statistics import median

import disk
from errors import Stop
from processes import run
from servers import Postgres, Redis


class Rounds:
    """The samples of each side, in the order of the rounds."""

    def __init__(self, samples):
        self.samples = samples

    def of(self, side, value):
        return [sample[value] for sample in self.samples[side]]


class Bench:
    def __init__(self, settings, program):
        self.settings = settings
        self.program = program
        self.folder = tempfile.mkdtemp(prefix="flotilla-bench.", dir=settings.folder)
        # The user of PostgreSQL must be able to pass.
        os.chmod(self.folder, 0o711)
        self.servers = {}
        self.count = 0

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    # MARK: rounds

    def rounds(self, sides, before=None):
        """Runs each side once a round, in an order that turns round each time, after a short round that does not count.

        `before` is called before each side: it brings the server into the same state for everybody.
        """
        samples = {side: [] for side in sides}
        warm = [] if self.settings.smoke else [None]
        for number in [*warm, *range(self.settings.rounds)]:
            order = list(sides) if (number or 0) % 2 == 0 else list(reversed(sides))
            for side in order:
                if before is not None:
                    before()
                seconds = min(1.0, self.settings.seconds) if number is None else self.settings.seconds
                sample = sides[side](seconds, f"r{self.next_number()}")
                if number is not None:
                    samples[side].append(sample)
                    shown = "  ".join(f"{key} {value:.5g}" for key, value in sample.items() if value is not None)
                    self.say(f"  round {number + 1}  {side}: {shown}")
        return Rounds(samples)

    def load(self, *arguments, seconds=None, server=None, cores=None):
        """Runs one of our loads, for a time unless its work has an end; answers its report as a sample."""
        before = server.cpu() if server else 0
        timed = [] if seconds is None else ["--seconds", seconds]
        finished = run(
            [self.program, *map(str, [*arguments, *timed])], f"flotilla-benchmarks {arguments[0]}",
            120 + 3 * (seconds or 0), cores)
        try:
            report = json.loads(finished.output)
        except ValueError:
            raise Stop(f"flotilla-benchmarks {arguments[0]} printed no report: {finished.output[:200]}") from None
        # The caller of a cache lives with a miss; a benchmark of misses would be a lie.
        if report["misses"] > report["operations"] / 1000:
            raise Stop(
                f"flotilla-benchmarks {arguments[0]}: {report['misses']} of {report['operations']} were not answered")
        sample = {
            "rate": report["rate"],
            "cpu_us": report["cpu_microseconds_each"],
            "p50_ms": report.get("p50_milliseconds"),
            "p99_ms": report.get("p99_milliseconds"),
            "resident_mib": report["resident_bytes"] / 2**20,
            "misses": report["misses"],
            **report["remarks"],
        }
        if server:
            sample["server_us"] = (server.cpu() - before) * 1e6 / max(1, report["operations_in_all"])
        return sample

    def beside(self, rounds, sides):
        """What a reader should see next to the rates: CPU time at the server and here, and latencies; medians."""
        shown = {}
        for side in sides:
            for key in ("server_us", "cpu_us", "p50_ms", "p99_ms", "mean_ms", "rows_per_statement", "resident_mib"):
                values = [sample[key] for sample in rounds.samples[side] if sample.get(key) is not None]
                if values:
                    shown.setdefault(side, {})[key] = median(values)
        return shown

    def next_number(self):
        """For a name that nothing else in this run has."""
        self.count += 1
        return self.count

    # MARK: servers

    def postgres(self, cores=None):
        """A PostgreSQL with the tables of pgbench, started once for each set of cores."""
        key = ("postgres", cores)
        if key not in self.servers:
            server = self.start(Postgres, key)
            scale = str(self.settings.scale)
            run([f"{server.bin}/pgbench", "-i", "-q", "-s", scale, server.connection], "pgbench -i", 300)
        return self.servers[key]

    def redis(self, cores=None):
        key = ("redis", cores)
        return self.servers[key] if key in self.servers else self.start(Redis, key)

    def server(self, kind, cores=None):
        """One of another kind, started once: a peer's server."""
        key = (kind.__name__.lower(), cores)
        return self.servers[key] if key in self.servers else self.start(kind, key)

    def start(self, kind, key):
        name = "-".join(part for part in key if part is not None)
        # Noted before it runs, so that it is stopped whatever happens meanwhile.
        self.servers[key] = kind(os.path.join(self.folder, name), key[1])
        self.servers[key].start()
        return self.servers[key]

    def disk(self):
        return disk.probe(self.folder)

    def close(self):
        # Nothing may keep this from coming to its end.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for server in self.servers.values():
            server.stop()
        self.servers = {}
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def flotilla(self):
        """The executable of the product, built beside our loads."""
        return os.path.join(os.path.dirname(self.program), "flotilla")

    @property
    def rows(self):
        return 100_000 * self.settings.scale
