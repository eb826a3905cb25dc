"""Folders are moved and removed while others put below them and workers are killed: nothing acknowledged is lost."""

import itertools
import os
import random
import signal
import threading
import time

from faults_part import kill
from trees import digest

SECONDS = int(os.environ.get("E2E_SECONDS") or 20)
# Below `kept` folders are only moved, below `removed` they are removed, too.
KEPT, REMOVED = "kept", "removed"
NAMES = "abcd"


class Chaos:
    def __init__(self, world):
        self.world = world
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.kept = {}
        self.removable = {}
        self.removals_end = 0.0
        self.counts = {}
        self.content = os.path.join(world.files.scratch, "content-of-chaos")

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def run(self):
        parts = [(self.put, number) for number in range(5)] + [(self.move, number) for number in range(2)]
        parts += [(self.remove, 0), (self.kill, 0)]
        threads = [threading.Thread(target=self.loop, args=part) for part in parts]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join()

    def loop(self, step, number):
        lots = random.Random(f"{self.world.seed} {step.__name__} {number}")
        while not self.over.is_set():
            step(lots)

    def put(self, lots):
        number = next(self.numbers)
        top = lots.choice((KEPT, REMOVED))
        name = f"{number:05d}.bin"
        source = f"{self.content}-{number}"
        with open(source, "wb") as file:
            file.write(lots.randbytes(lots.randint(1, 60_000)))
        sha256 = digest(source)
        answer = self.world.files.put(source, f"chaos/{top}/{lots.choice(NAMES)}/{name}")
        os.unlink(source)
        self.count(f"put {answer.status}")
        if answer.status in (200, 201):
            with self.lock:
                (self.kept if top == KEPT else self.removable)[name] = (sha256, time.monotonic())
        else:
            self.world.report.violation(f"put {top} {name}: {answer}")

    def move(self, lots):
        top = lots.choice((KEPT, REMOVED))
        source, target = lots.sample(NAMES, 2)
        # Names stay scarce, so folders also go into one another and come back.
        deep = lots.random() < 0.5
        into = f"chaos/{top}/{target}" + (f"/{source}-{next(self.numbers)}" if deep else "")
        destination = f"{self.world.files.url}/files/{into}"
        self.answered("move", self.world.files.call("MOVE", f"chaos/{top}/{source}", f"Destination: {destination}"))
        time.sleep(0.1)

    def remove(self, lots):
        recursive = lots.random() < 0.5
        top = REMOVED if recursive else lots.choice((KEPT, REMOVED))
        query = "?recursive=true" if recursive else ""
        answer = self.world.files.call("DELETE", f"chaos/{top}/{lots.choice(NAMES)}", query=query)
        with self.lock:
            self.removals_end = time.monotonic()
        self.answered("remove all" if recursive else "remove", answer)
        time.sleep(0.2)

    def answered(self, what, answer):
        """Found, not found, in the way or not empty; anything else is a violation."""
        self.count(f"{what} {answer.status}")
        if answer.status not in (200, 201, 204, 404, 409, 412, 423):
            self.world.report.violation(f"{what}: {answer}")

    def kill(self, lots):
        if self.over.wait(3):
            return
        ready = sorted(self.world.cluster.ready())
        if len(ready) > 3:
            kill(self.world.cluster.row(lots.choice(ready))["pid"], signal.SIGKILL)
            self.count("kill")


def run(world):
    report = world.report
    report.say(f"--- folders: moved and removed for {SECONDS} s while others put below them and workers die")
    chaos = Chaos(world)
    chaos.run()
    report.say(f"answers: {dict(sorted(chaos.counts.items()))}")
    world.calm()
    shown = {}
    for path, _, names in os.walk(os.path.join(world.home, "chaos")):
        for name in names:
            shown.setdefault(name, []).append(os.path.join(path, name))
    # A removal may have taken what was acknowledged before its end, and nothing that came later.
    due = chaos.kept | {n: known for n, known in chaos.removable.items() if known[1] > chaos.removals_end + 1}
    lost = [name for name in due if name not in shown]
    report.check(not lost, f"all {len(due)} acknowledged files that nobody removed are there", lost[:5])
    known = chaos.kept | chaos.removable
    wrong = [path for name, paths in shown.items() for path in paths
             if name in known and digest(path) != known[name][0]]
    report.check(not wrong, "all of them are whole", wrong[:3])
