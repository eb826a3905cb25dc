"""One file is overwritten again and again while the worker that takes it is killed at random moments."""

import os
import random
import signal
import threading
import time

import checks
from report import Stop, wait_for
from trees import digest
from watch import Watch

NAME = "overwritten/again and again.bin"
SIZE = 6_000_000


def run(cluster, files, admin, home, report, kills, seed):
    lots = random.Random(seed)
    contents = []
    for number in (0, 1):
        path = os.path.join(files.scratch, f"content-{number}")
        with open(path, "wb") as file:
            file.write(lots.randbytes(SIZE + number * 1234))
        contents.append((path, os.path.getsize(path), digest(path)))
    usual = first_put(files, contents[0], report)
    counts = {"acknowledged": 0, "old": 0, "new": 0}
    shown = contents[0][2]
    allowed = {NAME: {sha256: size for _, size, sha256 in contents}}
    with Watch(os.path.join(home, "overwritten"), {os.path.basename(NAME): allowed[NAME]}, report, every=0.01):
        for turn in range(1, kills + 1):
            new = contents[turn % 2]
            if new[2] == shown:
                new = contents[(turn + 1) % 2]
            shown = one(cluster, files, home, report, new, shown, lots.uniform(0, 1.5 * usual), turn, counts)
    report.check(True, f"{kills} interrupted overwrites: {counts['acknowledged']} acknowledged; "
                 f"afterwards {counts['new']} new, {counts['old']} old, all whole")
    try:
        cluster.wait(5, 60)
    except Stop as error:
        report.violation(str(error))
    checks.staging_is_empty(cluster.mount, report)
    log_ends_like_disk(admin, files.account, os.path.join(home, NAME), report)


def first_put(files, content, report):
    started = time.monotonic()
    answer = files.put(content[0], NAME)
    report.check(answer.status in (200, 201), "the file to overwrite is there", answer)
    return time.monotonic() - started


def two_ready(cluster):
    """The workers that are ready, as soon as there are two: one to kill, one to ask afterwards."""

    def enough():
        ready = cluster.ready()
        return ready if len(ready) > 1 else None

    return wait_for(60, "two ready workers", enough)


def one(cluster, files, home, report, new, old, delay, turn, counts):
    """One overwrite through one worker that dies `delay` seconds after it began; the digest that stays."""
    ready = two_ready(cluster)
    name = sorted(ready)[turn % len(ready)]
    address = f"http://127.0.0.1:{ready[name]['files_port']}"

    def kill():
        time.sleep(delay)
        os.kill(ready[name]["pid"], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    answer = files.at(address).put(new[0], NAME, retry=False)
    thread.join()
    acknowledged = answer.status in (200, 201)
    counts["acknowledged"] += acknowledged

    # Another node may roll the dead one's decision forward; when its death is settled, the content stays.
    settled = time.monotonic() + 4
    path = os.path.join(home, NAME)
    shown = digest(path)
    while time.monotonic() < settled and shown != new[2]:
        time.sleep(0.1)
        shown = digest(path)
    if shown not in (new[2], old):
        report.violation(f"overwrite {turn}: the file is neither the old nor the new one")
    if acknowledged and shown != new[2]:
        report.violation(f"overwrite {turn}: acknowledged by {name}, and the old content is there")
    counts["new" if shown == new[2] else "old"] += 1

    other = next(n for n in sorted(ready) if n != name)
    into = os.path.join(files.scratch, "fetched")
    fetched = files.at(f"http://127.0.0.1:{ready[other]['files_port']}").get(NAME, into)
    if fetched.status != 200 or digest(into) != digest(path):
        report.violation(f"overwrite {turn}: {other} serves something else than what is on the mount: {fetched}")
    return digest(path)


def log_ends_like_disk(admin, account, path, report):
    def agrees():
        transfers = checks.completed_uploads(admin, account).get(NAME, [])
        return transfers and transfers[-1]["sha256"] == digest(path)

    try:
        wait_for(20, "the log's last upload to be what is on disk", agrees)
        report.check(True, "the log's last upload of the overwritten file is what is on disk")
    except Stop as error:
        report.violation(str(error))
