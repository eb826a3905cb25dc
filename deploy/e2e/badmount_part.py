"""A mount that fails while it is used: a pass-through file system whose system calls are made to fail; root only."""

import os
import secrets
import signal
import subprocess
import time

import checks
from clients import Admin, Files
from mount_part import CHUNK, Kept, command
from report import wait_for
from servers import Cluster, is_ready
from world import World

FSYNC, WRITE = "posix/io/sync/fsync", "posix/io/rw/pwrite"
EIO, ENOSPC = 5, 28


class BadMount:
    """bindfs over a folder, under fiu-run."""

    def __init__(self, folder, owner):
        self.source, self.point = os.path.join(folder, "source"), os.path.join(folder, "cluster", "mount")
        self.process = None
        for path in (self.source, os.path.dirname(self.point), self.point):
            os.makedirs(path)
            os.chown(path, owner.st_uid, owner.st_gid)
        self.mount()

    def mount(self):
        words = ["fiu-run", "-x", "bindfs", "-f", "-o", "attr_timeout=0,entry_timeout=0,negative_timeout=0",
                 self.source, self.point]
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(10, "bindfs", lambda: os.path.ismount(self.point), every=0.05)

    @property
    def pid(self):
        """fiu-run starts the program in its own place, or as its child."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="utf-8") as file:
            children = file.read().split()
        return int(children[0]) if children else self.process.pid

    def fail(self, point, errno):
        command("fiu-ctrl", "-c", f"enable name={point},failinfo={errno}", str(self.pid))

    def heal(self, point):
        command("fiu-ctrl", "-c", f"disable name={point}", str(self.pid))

    def leave(self):
        command("umount", "-l", self.point)

    def close(self):
        subprocess.run(["umount", "-l", self.point], capture_output=True, check=False)
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.process.wait(10)


def run(world, program, folder):
    if os.geteuid() != 0:
        world.report.say("--- badmount: left out, only root can mount")
        return
    world.report.say("--- badmount: three nodes on a mount that fails on purpose")
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    bad = BadMount(folder, os.stat(world.cluster.folder))
    try:
        with_mount(world, program, os.path.join(folder, "cluster"), bad)
    finally:
        bad.close()


def with_mount(world, program, folder, bad):
    report = world.report
    cluster = Cluster(program, folder, 3, "bad-cluster")
    admin = Admin(cluster.admin, cluster.token())
    password = secrets.token_urlsafe(18)
    admin.post("accounts", {"name": "bad", "password": password})
    inner = World(cluster, world.tree, Files(cluster.files, "bad", password, program.folder), admin, report, world.seed)
    before = inner.incarnations()
    kept = Kept(inner)
    statuses = [kept.put(f"kept/{number}", CHUNK) for number in range(6)]
    report.check(set(statuses) == {201}, "some files to keep", statuses)
    for step in (no_sync, no_space, slow, hung, stale):
        started = time.monotonic()
        step(inner, bad, kept)
        report.say(f"{step.__name__}: {time.monotonic() - started:.1f} s")
        after = inner.incarnations()
        report.check(after == before, f"{step.__name__}: nobody was taken for dead", after)
    checks.staging_is_empty(cluster.mount, report)
    report.check(program.stop(cluster.process), "Ctrl-C stops the cluster on the bad mount")


def overwrite_all(kept):
    return [kept.put(f"kept/{number}", CHUNK) for number in range(6)]


def no_sync(world, bad, kept):
    """What was not synced is not acknowledged, and the version before stays."""
    bad.fail(FSYNC, EIO)
    statuses = overwrite_all(kept)
    world.report.check(not set(statuses) & {200, 201}, f"fsync fails: {set(statuses)}", statuses)
    bad.heal(FSYNC)
    back(world, kept, "fsync works again")


def no_space(world, bad, kept):
    bad.fail(WRITE, ENOSPC)
    statuses = overwrite_all(kept)
    world.report.check(set(statuses) <= {503, 507}, f"writes find no space: {set(statuses)}", statuses)
    bad.heal(WRITE)
    back(world, kept, "there is space again")


def slow(world, bad, kept):
    """Stopped and continued: slower than the nodes like, and no reason to lose anything."""
    end = time.monotonic() + 6
    statuses = []
    while time.monotonic() < end:
        os.kill(bad.pid, signal.SIGSTOP)
        time.sleep(0.3)
        os.kill(bad.pid, signal.SIGCONT)
        statuses.append(kept.put("kept/slow", 64 * 1024))
    world.report.check(set(statuses) <= {200, 201, 503}, f"a slow mount: {set(statuses)}", statuses)
    back(world, kept, "it is fast again")


def hung(world, bad, kept):
    os.kill(bad.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        wait_for(15, "the nodes to notice that the mount hangs", lambda: not world.cluster.ready(), every=0.1)
        world.report.say(f"all noticed after {time.monotonic() - started:.1f} s")
        statuses = [kept.put("kept/never", 1000) for _ in range(2)]
        world.report.check(set(statuses) == {503}, "with a mount that hangs every answer is 503", statuses)
        time.sleep(5)
    finally:
        os.kill(bad.pid, signal.SIGCONT)
    back(world, kept, "it answers again")


def stale(world, bad, kept):
    os.kill(bad.pid, signal.SIGKILL)
    wait_for(15, "the nodes to notice the stale mount", lambda: not world.cluster.ready(), every=0.1)
    bad.leave()
    bad.mount()
    back(world, kept, "it is mounted anew")


def back(world, kept, when):
    started = time.monotonic()
    wait_for(40, "the nodes to be back", lambda: len(world.cluster.ready()) == 3, every=0.1)
    world.report.say(f"{when}: all nodes are back after {time.monotonic() - started:.1f} s")
    wait_for(15, "the balancer", lambda: is_ready(world.cluster.files))
    world.report.check(kept.put("kept/again", CHUNK) in (200, 201), f"{when}: a new file goes in")
    kept.check(when)
