"""One fault after another under a load of puts and gets; each says who may die of it and whether clients may notice."""

import os
import signal
import socket
import threading
import time

from load import Load
from report import Stop, wait_for


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # It ended by itself.


def restarted(world, name, old):
    def changed():
        row = world.cluster.row(name)
        return row if row["state"] == "ready" and row.get("pid") not in (None, old) else None

    return wait_for(30, f"{name} to run again", changed)


# --- The faults


def redis(world):
    """Redis is killed, comes back, hangs for three seconds, and forgets everything again and again."""
    pid = world.cluster.row("redis")["pid"]
    kill(pid)
    pid = restarted(world, "redis", pid)["pid"]
    time.sleep(1)
    kill(pid, signal.SIGSTOP)
    time.sleep(3)
    kill(pid, signal.SIGCONT)
    port = world.cluster.row("redis")["files_port"]
    for _ in range(40):
        flush(port)
        time.sleep(0.05)


def flush(port):
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"FLUSHALL\r\n")
        connection.recv(100)


def postgres(seconds, number):
    """PostgreSQL is gone for some seconds: its keeper is stopped meanwhile, so that it does not start it at once."""

    def strike(world):
        pid = world.cluster.row("postgres")["pid"]
        with Probe(world) as probe:
            kill(world.cluster.process.pid, signal.SIGSTOP)
            try:
                kill(pid, number)
                time.sleep(seconds)
            finally:
                kill(world.cluster.process.pid, signal.SIGCONT)
            restarted(world, "postgres", pid)
            back = time.monotonic()
            wait_for(30, "the cluster to serve again", lambda: len(world.cluster.ready()) == 5)
            world.report.say(f"all serve again {time.monotonic() - back:.1f} s after PostgreSQL did")
        probe.judge()

    return strike


class Probe:
    """Small requests without retries to each worker: they succeed or are answered 503."""

    def __init__(self, world):
        self.world = world
        self.seen = {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(1, 6)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        files = self.world.files.at(self.world.direct(number))
        while not self.over.wait(0.3):
            answer = files.get("", os.path.join(files.scratch, f"probe-{number}"), retry=False)
            key = answer.status or answer.complaint[:60]
            self.seen[key] = self.seen.get(key, 0) + 1

    def judge(self):
        self.world.report.check(
            set(self.seen) <= {200, 503} and 503 in self.seen,
            f"without the database requests were answered 503 or served: {self.seen}", self.seen)


def backends(world):
    """One of a worker's database connections is cut, whichever, four times a second."""
    for _ in range(40):
        world.database.rows("""
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'flotilla worker-2' order by random() limit 1""")
        time.sleep(0.25)


def pause_all(world):
    pids = [row["pid"] for row in world.cluster.workers().values()]
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    time.sleep(4)
    for pid in pids:
        kill(pid, signal.SIGCONT)
    time.sleep(3)


def rolling(world):
    for turn in range(8):
        row = world.cluster.row(f"worker-{turn % 5 + 1}")
        if row.get("pid"):
            kill(row["pid"])
        time.sleep(3)


def pair(world):
    for _ in range(3):
        for name in world.lots.sample(sorted(world.cluster.ready()), 2):
            kill(world.cluster.row(name)["pid"])
        wait_for(60, "five workers", lambda: len(world.cluster.ready()) == 5)
        time.sleep(2)


def clients(world):
    for _ in range(60):
        curls = own_curls()
        if curls:
            kill(world.lots.choice(curls))
        time.sleep(0.2)


def own_curls():
    """The curls that this program started; a child is listed with the thread that made it."""
    found = []
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                for pid in map(int, file.read().split()):
                    with open(f"/proc/{pid}/comm", encoding="ascii") as name:
                        if name.read().strip() == "curl":
                            found.append(pid)
        except OSError:
            continue  # It ended meanwhile.
    return found


def balancer(world):
    for _ in range(3):
        pid = world.cluster.row("haproxy")["pid"]
        kill(pid)
        restarted(world, "haproxy", pid)
        time.sleep(2)


class Fault:
    """`deaths`: members may die of it. `silent`: no client may notice, not even by a retry."""

    def __init__(self, text, strike, deaths=False, silent=False):
        self.text = text
        self.strike = strike
        self.deaths = deaths
        self.silent = silent


FAULTS = {
    "redis": Fault("Redis killed, hanging, forgetting", redis, silent=True),
    "postgres": Fault("PostgreSQL stopped for 5 s", postgres(5, signal.SIGINT)),
    "postgres-crash": Fault("PostgreSQL killed with -9 for 5 s", postgres(5, signal.SIGKILL)),
    "postgres-long": Fault("PostgreSQL stopped for 20 s", postgres(20, signal.SIGINT)),
    "postgres-long-crash": Fault("PostgreSQL killed with -9 for 20 s", postgres(20, signal.SIGKILL)),
    "backends": Fault("database connections of a worker cut", backends),
    "pause": Fault("all workers stopped for 4 s", pause_all),
    "rolling": Fault("a worker killed every 3 s", rolling, deaths=True),
    "pair": Fault("two workers killed at once", pair, deaths=True),
    "clients": Fault("clients killed", clients),
    "balancer": Fault("HAProxy killed", balancer),
}


def run(world, name):
    fault, report = FAULTS[name], world.report
    report.say(f"--- {name}: {fault.text}")
    before, view = world.incarnations(), world.database.view_version()
    with Load(world, f"fault-{name}") as load:
        time.sleep(1)
        try:
            fault.strike(world)
        except Stop as error:
            report.violation(str(error))
        time.sleep(1)
    world.calm()
    load.verify()
    deaths = world.database.deaths(view)
    if fault.deaths:
        report.say(f"deaths: {[f'{name} {reason}' for name, reason in deaths]}")
    else:
        after = world.incarnations()
        report.check(not deaths and after == before, "nobody was taken for dead", (deaths, before, after))
    if fault.silent:
        report.check(not load.retried, "no client noticed", f"{len(load.retried)} retried, such as {load.retried[:3]}")
