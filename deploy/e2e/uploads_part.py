"""Uploads and downloads by clients that nobody here wrote, while workers are killed, paused and drained.

What each client was told, what a reader saw meanwhile, the disk and the transfer log are compared afterwards.
"""

import os
import secrets
import threading
import time

import oracle
from chaos_faults import Faults
from clients import Admin, Files
from servers import Cluster
from uploads_clients import SHARED, Curl, Draft, Fetch, Ledger, Once, Tus, Wget, put_large
from uploads_judge import Judge
from uploads_reader import Reader
from uploads_steps import PausedWriter, abandon, expired
from watch import Watch
from world import World

WORKERS = 3
ACCOUNT = "uploads"


class Breaks(Faults):
    """What happens to workers here; the database and Redis have parts of their own."""

    def __init__(self, world):
        super().__init__(world)
        self.kinds = {self.kill: 5, self.kill_two: 1, self.pause_long: 2, self.pause_short: 1, self.drain: 2,
                      self.evict: 1}


def run(world, program, folder, seconds):
    report = world.report
    report.say(f"--- uploads: {seconds:g} s of uploads and downloads by curl, wget, aria2, rclone, tuspy and aiotus")
    oracle.prove()
    cluster = Cluster(program, folder, WORKERS, "uploads-cluster")
    admin = Admin(cluster.admin, cluster.token())
    password = secrets.token_urlsafe(18)
    admin.post("accounts", {"name": ACCOUNT, "password": password})
    scratch = f"{folder}-scratch"
    os.makedirs(scratch)
    inner = World(cluster, world.tree, Files(cluster.files, ACCOUNT, password, scratch), admin, report, world.seed)
    with_cluster(inner, program, seconds)
    report.check(program.stop(cluster.process), "Ctrl-C stops the uploads' cluster")


def with_cluster(world, program, seconds):
    ledger, report = Ledger(), world.report
    with Watch(world.home, ledger.allowed, report, every=0.05) as watch:
        put_large(world, ledger, 2, 16_000_000)
        readers, faults = load(world, ledger, seconds)
        PausedWriter(world, program, ledger).run()
    report.say(f"the reader of the mount walked {watch.walks} times and read {watch.read} files")
    place = abandon(world)
    judge = Judge(world, ledger, readers, faults.history)
    judge.run()
    judge.fetch_all()
    expired(world, place)


def load(world, ledger, seconds):
    """All clients at once; the readers and the faults of that time."""
    report, over = world.report, threading.Event()
    kinds = [Curl, Once, Once, Wget, Draft, Tus, Tus, Fetch, Fetch]
    clients = [kind(world, ledger, over, number) for number, kind in enumerate(kinds)]
    reading = threading.Event()
    readers = [Reader(world, ledger, reading, number) for number in range(2)]
    for thread in clients + readers:
        thread.start()
    faults = Breaks(world)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        faults.strike()
    faults.calm()
    over.set()
    for thread in clients:
        thread.join()
    time.sleep(0.5)
    reading.set()
    for thread in readers:
        thread.join()
    acknowledged = ledger.acknowledged()
    report.say(f"{len(ledger.sent)} uploads, {len(acknowledged)} acknowledged, "
               f"{sum(sent.size for sent in acknowledged) / 1e6:.0f} MB, "
               f"{len([sent for sent in acknowledged if sent.name in SHARED])} over shared names; {ledger.counts}")
    report.say(f"faults: {faults.summary()}")
    report.check(len(acknowledged) > seconds / 2, "clients got through between the faults", len(acknowledged))
    world.calm()
    return readers, faults
