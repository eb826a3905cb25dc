"""The queue through faults of its servers, under load: how soon it is as fast as before, and whether all is there."""

import signal
import socket
import struct
import time

from errors import Stop
from processes import stop
from registry import Figure, Result, ours_at_most, subject
from servers import POSTGRES_SETTINGS, Postgres, Redis
from steady import Steady

RATE = 1_000
# What a fault that lasts for a while lasts, and how long is looked for an end of its consequences.
FAULT_SECONDS = 5
WATCHED = 20
# A figure for what did not come back while it was looked at.
NEVER = 60.0
FAULTS = ("restart", "crash", "backends", "connections", "redis")


class FewConnections(Postgres):
    """Stock, with so few connections that somebody can take all of them, and enough for a cluster's limit."""

    settings = {
        "shared_buffers": POSTGRES_SETTINGS["shared_buffers"],
        "max_wal_size": POSTGRES_SETTINGS["max_wal_size"],
        "max_connections": "150",
    }


class OwnRedis(Redis):
    """Killed and started again; nobody else uses it."""


@subject(
    Figure("job.recover", "s",
           f"{RATE} jobs a second on five nodes; from a fault's end until they end as fast as before, the longest of "
           "all faults", goal=ours_at_most(5), less_is_better=True),
    Figure("job.recover.faults", "jobs",
           "jobs lost, run twice or doubled in all that, by a journal outside the database",
           goal=ours_at_most(0), less_is_better=True),
)
def recover(bench):
    server, redis = bench.server(FewConnections), bench.server(OwnRedis)
    smoke = bench.settings.smoke
    rate, rounds = (200, 1) if smoke else (RATE, max(1, min(3, bench.settings.rounds)))
    server.sql("create role node login")
    took, wrong = {fault: [] for fault in FAULTS}, []
    for number in range(rounds):
        name = f"recover{bench.next_number()}"
        server.sql(f"create database {name} owner node")
        try:
            connection = server.to(name).replace("user=postgres", "user=node")
            with Steady(bench, connection, name, rate, redis) as stream:
                stream.listen(2 if smoke else 5)
                for fault in FAULTS:
                    seconds, before, lowest = suffer(stream, fault, server, redis, name, smoke)
                    bench.say(f"  round {number + 1}  {fault}: {seconds:.1f} s, {before:.0f} jobs/s before, "
                              f"{lowest:.0f} in the worst second")
                    took[fault].append(seconds)
                over = stream.stop()
            found = stream.faults(server, name)
            bench.say(f"  round {number + 1}  {over['answered']} jobs, {over['ran']} runs, {over['given_back']} given "
                      f"back, {over['fenced']} fenced, {over['lost']} claims lost; "
                      f"{'; '.join(found) or 'all is there'}")
            wrong.append(sum(int(fault.split()[0]) for fault in found))
        finally:
            server.sql(f"drop database {name} with (force)")
    results = [Result(f"job.recover.{fault}", values, {}, {}) for fault, values in took.items()]
    return [*results, Result("job.recover.faults", wrong, {}, {})]


def suffer(stream, fault, server, redis, name, smoke):
    """One fault; answers seconds to recover, the rate before, and the worst second's rate."""
    stream.listen(1 if smoke else 4)
    now = stream.looks[-1].at
    before = stream.rate(now - (1 if smoke else 3), now)
    if before <= 0:
        raise Stop(f"no jobs ended before the fault {fault}")
    begun = time.monotonic()
    {"restart": lambda: restart(server, signal.SIGINT), "crash": lambda: restart(server, signal.SIGQUIT),
     "backends": lambda: cut(server, name), "connections": lambda: exhaust(stream, server, name, smoke),
     "redis": lambda: without(stream, redis, smoke)}[fault]()
    ended = time.monotonic()
    seconds = None
    while seconds is None and time.monotonic() < ended + WATCHED:
        stream.listen(0.5)
        seconds = stream.recovery(ended, before)
    last = stream.looks[-1].at
    windows = [stream.rate(at / 10, at / 10 + 1) for at in range(int(begun * 10), int((last - 1) * 10))]
    return NEVER if seconds is None else seconds, before, min(windows, default=before)


def restart(server, how):
    """Ends when it accepts connections again; what a crash takes to recover is part of the fault."""
    stop(server.process, how, 60, "PostgreSQL")
    server.serve()


def cut(server, name):
    server.sql(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")


def exhaust(stream, server, name, smoke):
    """Somebody takes every connection that there is, those of the nodes included, and lets go of them later."""
    end = time.monotonic() + (2 if smoke else FAULT_SECONDS)
    taken = []
    try:
        while time.monotonic() < end:
            take_all(server, taken)
            # Again and again: what a node gets back first is taken the next time.
            cut(server, name)
            take_all(server, taken)
            stream.listen(0.05)
    finally:
        for connection in taken:
            connection.close()
    if len(taken) < int(FewConnections.settings["max_connections"]) // 2:
        raise Stop(f"only {len(taken)} connections could be taken")


def take_all(server, taken):
    """Sessions of an ordinary role, until the server refuses one."""
    while (connection := session(server)) is not None:
        taken.append(connection)


def session(server):
    """None when the server says that it has no connection left."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    words = b"".join(part.encode() + b"\0" for part in ("user", "node", "database", "postgres")) + b"\0"
    try:
        connection.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
        # Who is known may be refused after that: only the last of the greetings counts.
        while (kind := message(connection)) not in (b"Z", b"E", b""):
            pass
    except OSError:
        kind = b""
    if kind == b"Z":
        return connection
    connection.close()
    return None


def message(connection):
    """The kind of the server's next message; empty at the end."""
    head = connection.recv(5, socket.MSG_WAITALL)
    if len(head) < 5:
        return b""
    connection.recv(struct.unpack("!i", head[1:])[0] - 4, socket.MSG_WAITALL)
    return head[:1]


def without(stream, redis, smoke):
    stop(redis.process, signal.SIGKILL, 10, "Redis")
    stream.listen(1 if smoke else FAULT_SECONDS)
    redis.serve()

