"""Clients that put and fetch files for as long as a fault lasts, and what must be true afterwards."""

import itertools
import os
import random
import threading
import time

from trees import digest
from watch import Watch

WRITERS = 6
READERS = 2
# A file of some megabytes takes so long, so that faults hit it under way.
SECONDS_EACH = 1.5
MEDIUM = 1_000_000


def sample(tree, lots):
    """Files of all sizes: many small ones, some of megabytes, one big one."""
    small = [item for item in tree.items if 0 < item.size < MEDIUM]
    medium = [item for item in tree.items if MEDIUM <= item.size < 16 * MEDIUM]
    big = [item for item in tree.items if 16 * MEDIUM <= item.size < 100 * MEDIUM]
    return [lots.sample(some, min(count, len(some))) for some, count in ((small, 100), (medium, 20), (big, 1))]


class Load:
    """Writers put fresh names below one folder, readers fetch what was acknowledged, a watch reads the mount."""

    def __init__(self, world, folder, writers=WRITERS):
        self.world = world
        self.folder = folder
        self.writers = writers
        self.items = sample(world.tree, world.lots)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.acknowledged = {}
        self.unknown = set()
        self.allowed = {}
        self.fetched = 0
        self.retried = []
        self.slowest = 0.0
        self.watch = Watch(os.path.join(world.home, folder), self.allowed, world.report, every=0.1)
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(writers)]
        self.threads += [threading.Thread(target=self.read, args=(number,)) for number in range(READERS)]

    def __enter__(self):
        self.watch.__enter__()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        self.watch.__exit__()

    def choose(self, lots):
        """Mostly small files; each tenth of megabytes, and now and then the big one."""
        small, medium, big = self.items
        turn = lots.random()
        kind = big if turn > 0.99 and big else medium if turn > 0.8 and medium else small
        return lots.choice(kind or small)

    def write(self, number):
        lots = random.Random(f"{self.world.seed} {self.folder} {number}")
        while not self.over.is_set():
            item = self.choose(lots)
            place = f"{next(self.numbers):05d}/{os.path.basename(item.name)}"
            self.allowed[place] = {item.sha256: item.size}
            rate = max(int(item.size / SECONDS_EACH), 200_000) if item.size >= MEDIUM else None
            answer = self.world.files.put(item.source, f"{self.folder}/{place}", rate=rate)
            self.took(place, item, answer)
            time.sleep(0.02)

    def took(self, place, item, answer):
        with self.lock:
            self.slowest = max(self.slowest, answer.seconds)
            if answer.tries > 1:
                self.retried.append(place)
            if answer.complaint.startswith("curl -9"):
                self.unknown.add(place)  # The client was killed: nobody was told anything.
            elif answer.status in (200, 201):
                self.acknowledged[place] = item
            else:
                self.world.report.violation(f"put {self.folder}/{place}: {answer}")
        if answer.status in (200, 201) and answer.json.get("sha256") != item.sha256:
            self.world.report.violation(f"put {self.folder}/{place}: another digest in {answer.body[:200]}")

    def read(self, number):
        lots = random.Random(f"{self.world.seed} {self.folder} reader {number}")
        while not self.over.is_set():
            with self.lock:
                place = lots.choice(list(self.acknowledged)) if self.acknowledged else None
            if place is None:
                time.sleep(0.05)
                continue
            files = self.world.files
            if lots.random() < 0.5:
                files = files.at(self.world.direct(lots.randint(1, 5)))
            self.fetch(files, place, number)
            time.sleep(0.02)

    def fetch(self, files, place, number):
        into = os.path.join(files.scratch, f"{self.folder}-{number}")
        answer = files.get(f"{self.folder}/{place}", into)
        if answer.complaint.startswith("curl -9"):
            return
        if answer.status != 200:
            self.world.report.violation(f"get {self.folder}/{place} from {files.url}: {answer}")
        elif digest(into) != self.acknowledged[place].sha256:
            self.world.report.violation(f"get {self.folder}/{place} from {files.url}: another digest than was sent")
        with self.lock:
            self.fetched += 1
            if answer.tries > 1:
                self.retried.append(place)

    def verify(self):
        """Acknowledged is there and logged; what is there is whole and somebody sent it."""
        report, home = self.world.report, os.path.join(self.world.home, self.folder)
        lost = [place for place in self.acknowledged if not os.path.isfile(os.path.join(home, place))]
        report.check(not lost, f"all {len(self.acknowledged)} acknowledged files are there "
                     f"({self.fetched} fetched meanwhile, {len(self.retried)} retried by curl, "
                     f"the slowest took {self.slowest:.1f} s)", f"{len(lost)} are missing, such as {lost[:3]}")
        shown = {}
        for path, _, names in os.walk(home):
            for name in names:
                whole = os.path.join(path, name)
                shown[os.path.relpath(whole, home)] = digest(whole)
        self.compare_with_log(shown)

    def compare_with_log(self, shown):
        logged = {}
        # By the end of the log: each name was put once, or again by curl with the same bytes.
        for line in self.world.database.rows(
                "select convert_from(path, 'UTF8'), encode(digest, 'hex') from flotilla.transfer where kind = 'upload' "
                f"and status = 'completed' and convert_from(path, 'UTF8') like '{self.folder}/%'"):
            logged[line[0][len(self.folder) + 1:]] = line[1]
        wrong = [name for name in shown.keys() | logged.keys() if shown.get(name) != logged.get(name)]
        self.world.report.check(
            not wrong, f"the transfer log agrees with the disk ({len(shown)} files)",
            [(name, shown.get(name), logged.get(name)) for name in wrong[:3]])
