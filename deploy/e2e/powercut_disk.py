"""A disk whose power is cut: an ext4 over a recorded file, and the images that a cut at any moment would have left."""

import bisect
import os
import random
import subprocess
import sys
import time

from mount_part import command
from powercut_recorder import FLUSH, RECORD
from report import Stop, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
MEGABYTES = 1024
# What a disk writes at once.
BLOCK = 4096
# What of all that was written after the last flush is there: nothing, all, the first, some writes, some blocks.
FATES = ["none", "all", "first", "writes", "blocks", "blocks"]


def copy(source, target):
    command("cp", "--sparse=always", source, target)


class Log:
    """What came to the disk: (time, kind, offset, size, place of the data), in order."""

    def __init__(self, path):
        with open(f"{path}.index", "rb") as file:
            content = file.read()
        self.data = open(f"{path}.data", "rb")
        self.records = []
        for time_, offset, size, at, kind in RECORD.iter_unpack(content):
            self.records.append((time_, kind, offset, size, at))
        self.times = [record[0] for record in self.records]

    def until(self, moment):
        """How many records there were by then."""
        return bisect.bisect_right(self.times, moment)

    def busiest(self):
        """The moments just before those flushes that had most to flush: half of all flushes with anything."""
        found, pending = [], 0
        for moment, kind, _, size, _ in self.records:
            if kind == FLUSH:
                found.append((pending, moment - 1e-7))
                pending = 0
            else:
                pending += size
        found = sorted(pair for pair in found if pair[0])
        return [moment for _, moment in found[len(found) // 2:]]

    def bytes(self, record):
        return os.pread(self.data.fileno(), record[3], record[4])

    def close(self):
        self.data.close()


class Images:
    """Images of cuts whose moments rise; the base image is used up."""

    def __init__(self, base, log):
        self.base, self.log, self.applied = base, log, 0

    def cut(self, count, fate, seed, into):
        """The image after `count` records: what was flushed is there, of the rest what its fate says."""
        records = self.log.records[:count]
        flushes = (place for place in range(self.applied, count) if records[place][1] == FLUSH)
        flushed = max(flushes, default=self.applied)
        with open(self.base, "r+b") as file:
            for record in records[self.applied:flushed]:
                if record[3]:
                    os.pwrite(file.fileno(), self.log.bytes(record), record[2])
        self.applied = flushed
        copy(self.base, into)
        pending = [record for record in records[flushed:] if record[3]]
        with open(into, "r+b") as file:
            for offset, content in self.survivors(pending, fate, random.Random(seed)):
                os.pwrite(file.fileno(), content, offset)
        return len(pending)

    def survivors(self, pending, fate, lots):
        if fate == "first":
            pending = pending[:lots.randint(0, len(pending))]
        elif fate == "writes":
            pending = [record for record in pending if lots.random() < 0.5]
        elif fate == "none":
            pending = []
        if fate != "blocks":
            return [(record[2], self.log.bytes(record)) for record in pending]
        # Each block as one of the writes to it left it, or as it was before all of them.
        versions = {}
        for record in pending:
            content = self.log.bytes(record)
            for start in range(0, len(content), BLOCK):
                versions.setdefault(record[2] + start, []).append(content[start:start + BLOCK])
        chosen = [(offset, lots.choice([None, *contents])) for offset, contents in versions.items()]
        return [(offset, content) for offset, content in chosen if content is not None]


class Disk:
    """The disk in use, mounted at a point; `base` is what was on it before the log begins."""

    def __init__(self, folder, point, owner):
        self.folder, self.point = folder, point
        self.image, self.base = os.path.join(folder, "disk.img"), os.path.join(folder, "base.img")
        self.log_path, self.fuse = os.path.join(folder, "log"), os.path.join(folder, "fuse")
        self.recorder = self.device = None
        for path in (self.fuse, self.point):
            os.makedirs(path)
        with open(self.image, "wb") as file:
            file.truncate(MEGABYTES << 20)
        at_once = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        command("mkfs.ext4", "-q", "-F", "-m", "0", "-E", at_once, self.image)
        self.start()
        os.chown(self.point, owner.st_uid, owner.st_gid)

    def start(self):
        copy(self.image, self.base)
        self.recorder = subprocess.Popen(
            [sys.executable, "-B", f"{HERE}/powercut_recorder.py", self.fuse, self.image, self.log_path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answered("ready")
        self.device = command("losetup", "--find", "--show", f"{self.fuse}/disk")
        command("mount", self.device, self.point)

    def answered(self, expected):
        line = self.recorder.stdout.readline().strip()
        if line != expected:
            raise Stop(f"the recorder said {line!r} and not {expected!r}")

    def order(self, word):
        self.recorder.stdin.write(word + "\n")
        self.recorder.stdin.flush()
        self.answered(word)

    def freeze(self):
        """The power is gone: nothing that comes from now on is done, or answered."""
        self.order("freeze")

    def take_away(self):
        """Whoever waits for the disk gets an error, and all that used it goes away. The log of what had come."""
        self.order("fail")

        def unmounted():
            return subprocess.run(["umount", self.point], capture_output=True, check=False).returncode == 0

        wait_for(30, "the frozen disk to be unmounted", unmounted, every=0.1)
        self.close_device()
        return Log(self.log_path)

    def close_device(self):
        command("losetup", "--detach", self.device)
        wait_for(10, "the loop device to let go", lambda: not self.in_use(), every=0.1)
        command("umount", self.fuse)
        self.recorder.stdin.close()
        self.recorder.wait(20)
        self.recorder = self.device = None

    def in_use(self):
        return f"{self.device}:" in command("losetup", "--all")

    def replace(self, image):
        """This is what the disk shows when the power is back."""
        os.replace(image, self.image)
        self.start()

    def close(self):
        if self.recorder is None:
            return
        subprocess.run(["umount", "-l", self.point], capture_output=True, check=False)
        subprocess.run(["losetup", "--detach", self.device], capture_output=True, check=False)
        time.sleep(0.2)
        subprocess.run(["umount", "-l", self.fuse], capture_output=True, check=False)
        self.recorder.kill()
        self.recorder.wait(10)


class Mounted:
    """An image, mounted so that its journal is replayed; afterwards e2fsck has to find nothing."""

    def __init__(self, image, point):
        self.image, self.point, self.complaint = image, point, ""

    def __enter__(self):
        os.makedirs(self.point, exist_ok=True)
        command("mount", "-o", "loop", self.image, self.point)
        return self

    def __exit__(self, *_):
        command("umount", self.point)
        done = subprocess.run(["e2fsck", "-fn", self.image], capture_output=True, text=True, check=False)
        if done.returncode:
            self.complaint = f"e2fsck ends with {done.returncode}: {done.stdout[-300:]}"
