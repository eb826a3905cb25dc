"""Queues from PyPI as peers: each in processes of its own, in an environment made from PyPI once."""

import hashlib
import os
import subprocess
import sys
import tempfile
import time

from errors import Stop
from processes import kill_group, run

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queue_peers")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = ("pgqueuer", "chancy", "procrastinate")


def environment():
    """The Python of the peers: made when its list of packages has changed."""
    with open(f"{HERE}/requirements.txt", "rb") as file:
        mark = hashlib.sha256(file.read() + sys.version.encode()).hexdigest()[:16]
    folder = os.path.join(ROOT, "var", f"bench-python-{mark}")
    python = f"{folder}/bin/python"
    if not os.path.exists(f"{folder}/complete"):
        run([sys.executable, "-m", "venv", "--clear", folder], "python3 -m venv", 120)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet"]
        run([*pip, "install", "-r", f"{HERE}/requirements.txt"], "pip install of the queues to compare with", 600)
        with open(f"{folder}/complete", "w", encoding="ascii"):
            pass
    return python


class QueuePeer:
    """One queue on a server; each round gets a database of its own, so that nothing old is in its tables."""

    def __init__(self, name, server):
        self.name = name
        self.server = server
        self.python = environment()

    def fresh(self, database):
        self.server.sql(f"create database {database}")
        self.run(database, "prepare", 60)

    def drop(self, database):
        self.server.sql(f"drop database {database} with (force)")

    def uri(self, database):
        return f"postgresql://postgres@127.0.0.1:{self.server.port}/{database}"

    def run(self, database, role, deadline, *numbers):
        return run([self.python, f"{HERE}/worker.py", self.name, role, *map(str, numbers)], f"{self.name} {role}",
                   deadline, environment={"DATABASE": self.uri(database)}).output

    def process(self, database, jobs, processes, concurrency, seconds):
        """Fills the queue, lets workers drain it for at most so long, and answers jobs a second between the first job
        and the last one."""
        self.fresh(database)
        try:
            self.run(database, "fill", 120, jobs)
            self.server.sql("checkpoint")
            before = self.server.cpu()
            done, span = self.drained(database, jobs, processes, concurrency, seconds)
            used = self.server.cpu() - before
        finally:
            self.drop(database)
        if done < 2 or span <= 0:
            raise Stop(f"{self.name} with {processes} processes of {concurrency}: {done} jobs were done")
        return {"rate": done / span, "server_us": used * 1e6 / done}

    def drained(self, database, jobs, processes, concurrency, seconds):
        workers = []
        with tempfile.TemporaryDirectory() as folder:
            try:
                for number in range(processes):
                    with open(f"{folder}/{number}", "wb") as counted, open(f"{folder}/{number}.err", "wb") as errors:
                        workers.append(subprocess.Popen(
                            [self.python, f"{HERE}/worker.py", self.name, "work", str(concurrency)], stdout=counted,
                            stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True,
                            env={**os.environ, "DATABASE": self.uri(database)}))
                end = time.monotonic() + 20 + seconds
                while True:
                    time.sleep(0.1)
                    counts = [last_count(f"{folder}/{number}") for number in range(processes)]
                    done = sum(count for count, _, _ in counts)
                    begun = [first for count, first, _ in counts if count]
                    now = time.monotonic()
                    if done >= jobs or now > end or begun and now > min(begun) + seconds:
                        break
                    for number, worker in enumerate(workers):
                        if worker.poll() is not None:
                            with open(f"{folder}/{number}.err", encoding="utf-8", errors="replace") as errors:
                                raise Stop(f"{self.name} ended with {worker.returncode}: {errors.read()[-300:]}")
            finally:
                for worker in workers:
                    kill_group(worker.pid)
                    worker.wait()
        if not begun:
            return 0, 0
        return done, max(last for count, _, last in counts if count) - min(begun)

    def single(self, database, tasks, seconds):
        """One job a call from so many tasks; answers jobs a second."""
        self.fresh(database)
        try:
            done, took = self.run(database, "single", 60 + 3 * seconds, tasks, seconds).split()
        finally:
            self.drop(database)
        return {"rate": float(done) / float(took)}


def last_count(path):
    with open(path, encoding="ascii") as file:
        lines = file.read().split("\n")
    whole = [line for line in lines[:-1] if line]
    if not whole:
        return 0, 0.0, 0.0
    count, first, last = whole[-1].split()
    return int(count), float(first), float(last)
