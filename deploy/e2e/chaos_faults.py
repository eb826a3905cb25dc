"""The faults of the chaos part, drawn at random; each is noted with whom it may kill and until when."""

import dataclasses
import signal
import time

from faults_part import flush, kill, restarted
from report import Stop, wait_for

# How long after its fault a death may be declared: the slow window, a heartbeat, and a machine with much to do.
LATEST = 12.0


@dataclasses.dataclass
class Note:
    """Of the real clock, which the database shares; `deadly` has those who may die of it, and how the reasons begin."""

    fault: str
    start: float
    end: float
    deadly: dict


class Faults:
    def __init__(self, world):
        self.world = world
        self.lots = world.lots
        self.history = []
        self.kinds = {
            self.kill: 5, self.kill_two: 1, self.pause_short: 3, self.pause_long: 2, self.pause_all: 1, self.evict: 3,
            self.drain: 2, self.backends: 2, self.redis: 1, self.redis_hangs: 1, self.redis_forgets: 2,
            self.postgres: 1, self.nothing: 2,
        }

    def strike(self):
        fault = self.lots.choices(list(self.kinds), list(self.kinds.values()))[0]
        start = time.time()
        try:
            deadly = fault() or {}
        except Stop as error:
            self.world.report.violation(f"{fault.__name__}: {error}")
            deadly = {}
        self.history.append(Note(fault.__name__, start, time.time(), deadly))
        time.sleep(self.lots.uniform(0.2, 3))

    def calm(self):
        """Whatever is stopped goes on; all workers are back."""
        for row in self.world.cluster.workers().values():
            if row.get("pid"):
                kill(row["pid"], signal.SIGCONT)
        self.world.cluster.wait(len(self.world.ports), 90)

    def summary(self):
        counts = {}
        for note in self.history:
            counts[note.fault] = counts.get(note.fault, 0) + 1
        return ", ".join(f"{count} {fault}" for fault, count in sorted(counts.items()))

    def some(self, count=1):
        """Workers that run, and what they are called."""
        running = sorted((name, row["pid"]) for name, row in self.world.cluster.workers().items() if row.get("pid"))
        return self.lots.sample(running, min(count, len(running)))

    # --- What is done. The answer: who may die of it.

    def nothing(self):
        time.sleep(2)

    def kill(self, count=1):
        chosen = self.some(count)
        for _, pid in chosen:
            kill(pid)
        return {name: ("crashed", "superseded") for name, _ in chosen}

    def kill_two(self):
        return self.kill(2)

    def pause(self, chosen, seconds):
        for _, pid in chosen:
            kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for _, pid in chosen:
            kill(pid, signal.SIGCONT)

    def pause_short(self):
        self.pause(self.some(), self.lots.uniform(0.05, 3.8))

    def pause_long(self):
        chosen = self.some()
        self.pause(chosen, self.lots.uniform(6, 9))
        return {name: ("silent",) for name, _ in chosen}

    def pause_all(self):
        self.pause(self.some(5), self.lots.uniform(1, 3.5))

    def evict(self):
        """A worker is declared dead while it runs: what it has in hand must be refused."""
        chosen = self.some()
        for name, _ in chosen:
            try:
                self.world.admin.post(f"nodes/{name}/evict", {"reason": "chaos"})
            except Stop as error:
                if "409" not in str(error):
                    raise
        return {name: ("evicted",) for name, _ in chosen}

    def drain(self):
        for name, _ in self.some():
            try:
                self.world.admin.post(f"nodes/{name}/drain", {"reason": "chaos"})
                time.sleep(self.lots.uniform(0.1, 2))
                self.world.admin.post(f"nodes/{name}/resume", {})
            except Stop as error:
                if "409" not in str(error):
                    raise

    def backends(self):
        """Connections of all workers are cut, whichever."""
        for _ in range(8):
            try:
                self.world.database.rows("""
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where application_name like 'flotilla %' and pid <> pg_backend_pid()
                    order by random() limit 2""")
            except OSError:
                return
            time.sleep(0.25)

    def redis(self):
        pid = self.world.cluster.row("redis").get("pid")
        if pid:
            kill(pid)

    def redis_hangs(self):
        pid = self.world.cluster.row("redis").get("pid")
        if pid:
            self.pause([("redis", pid)], 2)

    def redis_forgets(self):
        try:
            flush(self.world.cluster.row("redis")["files_port"])
        except OSError:
            pass  # It is just being started again.

    def postgres(self):
        """Its keeper starts it again at once."""
        pid = self.world.cluster.row("postgres")["pid"]
        kill(pid, self.lots.choice([signal.SIGINT, signal.SIGKILL]))
        restarted(self.world, "postgres", pid)
        wait_for(60, "a worker to serve again", lambda: self.world.cluster.ready())


def judge_deaths(deaths, history):
    """The deaths that no fault explains. A death is (name, reason, at)."""
    unexplained = []
    for name, reason, at in deaths:
        causes = [
            note for note in history
            if any(reason.startswith(begin) for begin in note.deadly.get(name, ()))
            and note.start <= at <= note.end + LATEST
        ]
        if not causes:
            near = [f"{note.fault} {at - note.start:.1f} s before" for note in history if 0 <= at - note.start < 15]
            unexplained.append(f"{name} {reason!r} ({', '.join(near) or 'no fault near it'})")
    return unexplained
