"""Clients that make events: they put, move and remove files through all workers, and try again until they are heard."""

import http.client
import itertools
import random
import threading
import time
import urllib.parse

WRITERS = 8
SIZES = (0, 500, 3_000, 40_000)


class JobLoad:
    """Half of the files stay where they were put; the others are put again, moved, or removed.

    A client that hears nothing does the same again, so there may be more changes than it asked for; the transfer log
    says which there were.
    """

    def __init__(self, world, folder, files, seconds, stuck=6, hanging=40):
        self.world = world
        self.folder = folder
        self.files = files
        self.places = [f"stuck/{number}" for number in range(stuck)] + [f"slow/{number}" for number in range(hanging)]
        self.places += [f"{number % 50:02d}/{number}" for number in range(files - len(self.places))]
        random.Random(f"{world.seed} places").shuffle(self.places)
        self.numbers = itertools.count()
        self.pause = seconds / max(1, len(self.places)) * WRITERS
        self.lots = random.Random(f"{world.seed} more")
        self.stable = []
        self.steps = 0
        self.gave_up = []
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(WRITERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()

    def is_busy(self):
        return any(thread.is_alive() for thread in self.threads)

    def summary(self):
        return f"{self.steps} changes asked for, {len(self.stable)} files stay"

    def kept(self):
        """Paths that nobody touches any more."""
        return list(self.stable)

    def follow(self):
        """The same while they come to be, until there are no more."""
        place = 0
        while True:
            if place < len(self.stable):
                yield self.stable[place]
                place += 1
            elif self.is_busy():
                time.sleep(0.05)
            else:
                return

    def work(self, number):
        lots = random.Random(f"{self.world.seed} jobs {number}")
        while (turn := next(self.numbers)) < len(self.places):
            started = time.monotonic()
            place = f"{self.folder}/{self.places[turn]}"
            self.put(place, lots)
            wish = 1.0 if "stuck/" in place or "slow/" in place else lots.random()
            if wish < 0.15:
                self.ask("DELETE", place, lots)
            elif wish < 0.35:
                target = f"{place}-moved"
                if self.ask("MOVE", place, lots, {"Destination": f"/files/{urllib.parse.quote(target)}"}):
                    self.stable.append(f"/{target}")
            else:
                if wish < 0.5:
                    self.put(place, lots)
                self.stable.append(f"/{place}")
            time.sleep(max(0.0, self.pause - (time.monotonic() - started)))

    def put(self, place, lots):
        body = f"{place} {lots.random()} ".encode() + lots.randbytes(lots.choice(SIZES))
        self.ask("PUT", place, lots, body=body, query="?parents=true")

    def ask(self, method, place, lots, headers=None, body=None, query=""):
        """Until somebody answers; 404 after an attempt that nobody answered means that it was done."""
        self.steps += 1
        end = time.monotonic() + 90
        while time.monotonic() < end:
            status = self.once(method, place, lots, headers or {}, body, query)
            if status in (200, 201, 204):
                return True
            if status in (404, 409, 412) and method in ("DELETE", "MOVE"):
                return status == 404
            time.sleep(lots.uniform(0.1, 0.5))
        self.gave_up.append(f"{method} {place}: {status}")
        return False

    def once(self, method, place, lots, headers, body, query):
        host = self.world.files.url if lots.random() < 0.3 else self.world.direct(lots.randint(1, 5))
        connection = http.client.HTTPConnection(host.removeprefix("http://"), timeout=20)
        try:
            connection.request(
                method, f"/files/{urllib.parse.quote(place)}{query}", body=body,
                headers={"Authorization": self.world.files.authorization, **headers})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
