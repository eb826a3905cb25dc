"""A reader of the mount that trusts nobody: whatever is visible must be a whole file whose content somebody sent."""

import hashlib
import os
import threading


class Watch:
    """Walks a home again and again; reads each file that it has not seen in this state, whole.

    `allowed` maps a name to the digests that it may have, each with its size.
    """

    def __init__(self, home, allowed, report, every=0.05):
        self.home = home
        self.allowed = allowed
        self.report = report
        self.every = every
        self.seen = {}
        self.read = 0
        self.walks = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run, name="watch", daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()
        self.walk()

    def run(self):
        while not self.done.is_set():
            self.walk()
            self.done.wait(self.every)

    def walk(self):
        self.walks += 1
        for folder, _, names in os.walk(os.fsencode(self.home)):
            for name in names:
                self.look(os.path.join(folder, name))

    def look(self, path):
        name = os.fsdecode(os.path.relpath(path, os.fsencode(self.home)))
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                state = (status.st_ino, status.st_size, status.st_mtime_ns)
                if self.seen.get(name) == state:
                    return
                sha = hashlib.sha256()
                size = 0
                while chunk := file.read(1 << 20):
                    sha.update(chunk)
                    size += len(chunk)
        except FileNotFoundError:
            return  # Replaced between the listing and the opening.
        self.seen[name] = state
        self.read += 1
        expected = self.allowed.get(name)
        if expected is None:
            self.report.violation(f"{name} is visible on the mount, and nobody sent a file of that name")
        elif expected.get(sha.hexdigest()) != size:
            self.report.violation(f"{name} is visible with {size} bytes and digest {sha.hexdigest()}: nobody sent that")
