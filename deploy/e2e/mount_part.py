"""A mount that fills up, turns read-only, or goes away: a small file system in a file, so only root can run this."""

import os
import secrets
import subprocess
import threading
import time

import checks
from clients import Admin, Files
from faults_part import kill
from report import Stop, wait_for
from servers import Cluster, is_ready
from trees import digest
from world import World

MEGABYTES = 64
CHUNK = 1 << 20


def command(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Stop(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


class SmallDisk:
    """An ext4 of some megabytes, mounted where the cluster's mount will be."""

    def __init__(self, folder, owner):
        self.image = f"{folder}.img"
        self.point = os.path.join(folder, "mount")
        os.makedirs(self.point)
        with open(self.image, "wb") as file:
            file.truncate(MEGABYTES << 20)
        command("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
        # One loop device for all mounts: what was unmounted lazily may live on in it.
        self.device = command("losetup", "--find", "--show", self.image)
        self.mount()
        os.rmdir(os.path.join(self.point, "lost+found"))
        for path in (folder, self.point):
            os.chown(path, owner.st_uid, owner.st_gid)

    def mount(self):
        command("mount", self.device, self.point)

    def remount(self, mode):
        command("mount", "-o", f"remount,{mode}", self.point)

    def leave(self):
        command("umount", "-l", self.point)

    def close(self):
        if os.path.ismount(self.point):
            self.leave()
        command("losetup", "--detach", self.device)
        os.unlink(self.image)


class Kept:
    """Files that were acknowledged, and their digests: they stay, whatever happens to the mount."""

    def __init__(self, world):
        self.world = world
        self.digests = {}

    def put(self, name, size):
        source = os.path.join(self.world.files.scratch, "small")
        with open(source, "wb") as file:
            file.write(os.urandom(size))
        answer = self.world.files.put(source, name, retry=False)
        if answer.status in (200, 201):
            self.digests[name] = digest(source)
        return answer.status

    def check(self, when):
        into = os.path.join(self.world.files.scratch, "small-fetched")
        wrong = []
        for name, sha256 in self.digests.items():
            answer = self.world.files.get(name, into)
            if answer.status != 200 or digest(into) != sha256:
                wrong.append((name, str(answer)))
        self.world.report.check(not wrong, f"{when} all {len(self.digests)} files are served whole", wrong[:3])


def run(world, program, folder):
    if os.geteuid() != 0:
        world.report.say("--- mount: left out, only root can mount")
        return
    world.report.say(f"--- mount: a cluster whose mount has {MEGABYTES} MiB, filled up, read-only, gone")
    disk = SmallDisk(folder, os.stat(world.cluster.folder))
    try:
        with_disk(world, program, folder, disk)
    finally:
        disk.close()


def with_disk(world, program, folder, disk):
    report = world.report
    cluster = Cluster(program, folder, 5, "small-cluster")
    admin = Admin(cluster.admin, cluster.token())
    password = secrets.token_urlsafe(18)
    admin.post("accounts", {"name": "small", "password": password})
    files = Files(cluster.files, "small", password, program.folder)
    small = World(cluster, world.tree, files, admin, report, world.seed)
    kept = Kept(small)
    for step in (fill, start_again, make_room, read_only, gone):
        before = small.incarnations()
        step(small, disk, kept)
        if step is not start_again:
            report.check(small.incarnations() == before, "nobody was taken for dead", small.incarnations())
    small.calm()
    report.check(program.stop(cluster.process), "Ctrl-C stops the small cluster")


def fill(world, disk, kept):
    report = world.report
    statuses = [kept.put(f"kept/{number}", CHUNK) for number in range(8)]
    report.check(set(statuses) == {201}, "some files to keep", statuses)
    number, seen = 0, set()
    while 507 not in seen and number < 40:
        seen.add(kept.put(f"filling/{number}", 4 * CHUNK))
        number += 1
    report.check(seen == {201, 507}, f"the disk is full after {number} files of 4 MiB; answers {seen}", seen)
    statuses = [kept.put(f"kept/{number}", 5 * CHUNK) for number in range(8)]
    report.check(set(statuses) == {507}, "overwriting answers 507", statuses)
    for size in (256 * 1024, 16 * 1024, 1):
        statuses = [kept.put(f"tiny/{size}-{number}", size) for number in range(40)]
        report.say(f"{size} bytes each: { {s: statuses.count(s) for s in set(statuses)} }")
        report.check(set(statuses) <= {201, 507}, "every answer is 201 or 507", statuses)
    time.sleep(3)
    ready = sorted(world.cluster.ready())
    report.check(len(ready) == 5, "with a full disk the nodes stay ready", ready)
    kept.check("with a full disk")
    checks.staging_is_empty(world.cluster.mount, report)


def start_again(world, disk, kept):
    """A node that dies on the full disk starts on it."""
    kill(pid := world.cluster.row("worker-1")["pid"])
    wait_for(30, "a node to start on the full disk", lambda: world.cluster.row("worker-1").get("pid") not in (None, pid)
             and len(world.cluster.ready()) == 5)
    kept.check("after a node died and started on the full disk")


def make_room(world, disk, kept):
    report, started = world.report, time.monotonic()
    for name in [name for name in kept.digests if name.startswith("filling/")][:4]:
        answer = world.files.call("DELETE", name)
        report.check(answer.status == 204, f"{name} is deleted on the full disk", answer)
        del kept.digests[name]
    wait_for(30, "a file to fit again", lambda: kept.put("kept/after", 8 * CHUNK) in (200, 201), every=0.5)
    report.say(f"a file fits again {time.monotonic() - started:.1f} s after the removal")
    kept.check("with space again")


def each(world, request):
    """The statuses that the workers answer, each asked by its own address."""
    answers = {}
    for number in range(1, 6):
        answers[f"worker-{number}"] = request(world.files.at(world.direct(number))).status
    return answers


def tiny(world):
    source = os.path.join(world.files.scratch, "tiny")
    with open(source, "wb") as file:
        file.write(b"x")
    return source


def read_only(world, disk, kept):
    report, source = world.report, tiny(world)

    def remounted():
        try:
            disk.remount("ro")
        except Stop:
            return False  # Something is being written.
        return True

    wait_for(10, "the mount to become read-only", remounted, every=0.05)
    early = each(world, lambda files: files.put(source, "kept/never", retry=False))
    report.check(set(early.values()) <= {503, 507}, f"read-only: {early}", early)
    wait_for(10, "the nodes to notice", lambda: not world.cluster.ready())
    late = each(world, lambda files: files.put(source, "kept/never", retry=False))
    report.check(set(late.values()) == {503}, f"a little later: {late}", late)
    disk.remount("rw")
    back(world, kept)


def gone(world, disk, kept):
    report, source = world.report, tiny(world)
    answers = []
    big = os.path.join(world.files.scratch, "slow")
    with open(big, "wb") as file:
        file.write(os.urandom(3 * CHUNK))
    slow = threading.Thread(
        target=lambda: answers.append(world.files.put(big, "kept/slow", retry=False, rate=CHUNK // 2)))
    slow.start()
    time.sleep(1)
    started = time.monotonic()
    disk.leave()
    wait_for(15, "the nodes to notice", lambda: not world.cluster.ready(), every=0.1)
    report.say(f"all nodes noticed the missing mount after {time.monotonic() - started:.1f} s")
    for what, request in (
            ("PUT", lambda files: files.put(source, "kept/never", retry=False)),
            ("GET", lambda files: files.get("kept/0", os.devnull, retry=False))):
        statuses = each(world, request)
        report.check(set(statuses.values()) == {503}, f"{what} answers 503", statuses)
    slow.join()
    report.say(f"an upload under way: {str(answers[0])[:200]}")
    if answers[0].status in (200, 201):
        kept.digests["kept/slow"] = digest(big)
    time.sleep(2)
    report.check(not os.listdir(disk.point), "nothing was written below the empty mount point",
                 os.listdir(disk.point))
    disk.mount()
    back(world, kept)


def back(world, kept):
    started = time.monotonic()
    wait_for(40, "the nodes to be back", lambda: len(world.cluster.ready()) == 5, every=0.1)
    world.report.say(f"all serve again {time.monotonic() - started:.1f} s after the mount is back")
    wait_for(15, "the balancer", lambda: is_ready(world.cluster.files))
    world.report.check(kept.put("kept/again", CHUNK) in (200, 201), "a new file goes in")
    kept.check("afterwards")
