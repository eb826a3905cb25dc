"""Resumable uploads over dying nodes, and the memory of many slow ones."""

import hashlib
import os
import random
import signal
import socket
import time

from errors import Stop
from local_cluster import LocalCluster, port_of
from registry import Figure, Result, ours_at_most, subject
from tus_client import TusUpload

GIB = 1 << 30
WORKERS = 4
# A 1 GiB upload takes a quarter of a minute then, and a node dies every few seconds of it.
BYTES_PER_SECOND = 64 << 20
KILL_EVERY = (2.0, 5.0)
RUNS = 4


@subject(
    Figure("files.takeover", "percent",
           "bytes of a tus upload of 1 GiB (pieces of 8 MiB, 64 MiB/s) that were sent again "
           f"because the node that wrote it was killed (-9) every {KILL_EVERY[0]:.0f} to {KILL_EVERY[1]:.0f} s; "
           f"{WORKERS} workers behind HAProxy; the worst of {RUNS} runs a round, the digest right in every one",
           None, ours_at_most(5), less_is_better=True))
def takeover(bench):
    smoke = bench.settings.smoke
    size, runs, every = (GIB // 8, 1, (0.5, 1.0)) if smoke else (GIB, RUNS, KILL_EVERY)
    source = random.Random(6)
    body = b"".join(source.randbytes(32 << 20) for _ in range(size >> 25))
    digest = hashlib.sha256(body).hexdigest()
    cluster = LocalCluster(bench.flotilla, os.path.join(bench.folder, "takeover"), WORKERS)
    values, times, kills, calm = [], [], [], []
    try:
        cluster.start()
        key = cluster.key_of("bench")
        for turn in range(bench.settings.rounds):
            calm.append(upload(cluster, key, body, digest, f"calm-{turn}", None)[1])
            worst = 0.0
            for run in range(runs):
                again, seconds, killed = upload(cluster, key, body, digest, f"killed-{turn}-{run}", every)
                worst = max(worst, 100 * again / size)
                times.append(seconds)
                kills.append(killed)
                bench.say(f"  round {turn + 1}: {100 * again / size:.2f} % again, {killed} kills, {seconds:.1f} s")
            values.append(worst)
    finally:
        cluster.stop()
    if sum(kills) < len(kills):
        raise Stop(f"files.takeover: {sum(kills)} kills in {len(kills)} uploads prove nothing")
    beside = {"ours": {"seconds": sorted(times)[len(times) // 2], "kills": sum(kills), "uploads": len(times)},
              "undisturbed": {"seconds": sorted(calm)[len(calm) // 2]}}
    return [Result("files.takeover", values, {}, beside)]


def upload(cluster, key, body, digest, name, every):
    """One upload, its writing node killed each so many seconds; answers bytes sent again, seconds, kills."""
    started = time.monotonic()
    state = {"due": started + random.uniform(*every) if every else None, "kills": 0}

    def between():
        """Called after each few hundred KiB."""
        if every is None or time.monotonic() < state["due"]:
            return
        pid = writer(cluster)
        if pid is not None:
            state["due"] = time.monotonic() + random.uniform(*every)
            os.kill(pid, signal.SIGKILL)
            state["kills"] += 1

    client = TusUpload("127.0.0.1", port_of(cluster.files), f"Bearer {key}", BYTES_PER_SECOND, between)
    told = client.run(f"/files/{name}", body)
    seconds = time.monotonic() - started
    path = os.path.join(cluster.data, "mount", "homes", "bench", name)
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    # Nothing is told when the last answer was lost.
    if found != digest or told not in (digest, None):
        raise Stop(f"files.takeover: {name} has the digest {found}, the answer said {told}, sent was {digest}")
    os.unlink(path)
    return client.sent - len(body), seconds, state["kills"]


def writer(cluster):
    """The worker that has a segment of an upload open."""
    for row in cluster.rows():
        folder = f"/proc/{row.get('pid')}/fd"
        try:
            files = [os.readlink(os.path.join(folder, entry)) for entry in os.listdir(folder)]
        except OSError:
            continue  # It ended, or closed one of them, meanwhile.
        if any("/.flotilla/staging/u" in file for file in files):
            return row["pid"]
    return None


# MARK: memory

SLOW, SLOW_BYTES, SLOW_SECONDS = 1000, 2 << 20, 20


@subject(
    Figure("files.memory", "MiB",
           f"resident memory of a node that receives {SLOW} slow uploads (half PUT, half tus), each "
           f"of {SLOW_BYTES >> 20} MiB over {SLOW_SECONDS} s, at most",
           None, ours_at_most(256), less_is_better=True))
def memory(bench):
    count, seconds = (100, 3) if bench.settings.smoke else (SLOW, SLOW_SECONDS)
    values, before = [], []
    for turn in range(bench.settings.rounds):
        cluster = LocalCluster(bench.flotilla, os.path.join(bench.folder, f"memory-{turn}"), 1)
        try:
            cluster.start()
            key = cluster.key_of("bench")
            worker = cluster.rows()[0]
            before.append(resident(worker["pid"]))
            values.append(slow(worker, key, count, seconds))
            bench.say(f"  round {turn + 1}: {before[-1]:.0f} MiB before, {values[-1]:.0f} MiB at most")
        finally:
            cluster.stop()
    return [Result("files.memory", values, {}, {"ours": {"resident_mib_idle": sorted(before)[len(before) // 2]}})]


def resident(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def slow(worker, key, count, seconds):
    """All at once, in even steps; answers the most memory that was seen. Every one has to end well."""
    port, steps = worker["files_port"], seconds * 4
    step, most = SLOW_BYTES // steps, 0.0
    head = f"Host: x\r\nAuthorization: Bearer {key}\r\n"
    sockets = []
    for number in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        if number % 2 == 0:
            request = f"PUT /files/slow-{number} HTTP/1.1\r\n{head}Content-Length: {step * steps}\r\n\r\n"
        else:
            tus = (f"POST /files/slow-{number} HTTP/1.1\r\n{head}Tus-Resumable: 1.0.0\r\n"
                   f"Content-Length: {step * steps}\r\n")
            request = f"{tus}Upload-Length: {step * steps}\r\nContent-Type: application/offset+octet-stream\r\n\r\n"
        connection.sendall(request.encode())
        sockets.append(connection)
    body, started = os.urandom(step), time.monotonic()
    for turn in range(steps):
        for connection in sockets:
            connection.sendall(body)
        most = max(most, resident(worker["pid"]))
        pause = started + (turn + 1) * seconds / steps - time.monotonic()
        if pause > 0:
            time.sleep(pause)
    wrong = 0
    for connection in sockets:
        connection.settimeout(60)
        wrong += not connection.recv(4096).startswith(b"HTTP/1.1 201")
        connection.close()
        most = max(most, resident(worker["pid"]))
    if wrong:
        raise Stop(f"files.memory: {wrong} of {count} slow uploads did not end with 201")
    return most
