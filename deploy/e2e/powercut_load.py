"""What is done to the files until the power goes, one attempt each, and what was acknowledged when."""

import dataclasses
import hashlib
import http.client
import math
import random
import threading
import time

import oracle

OVERWRITTEN = 6
CLIENTS = 6
# Made before, since moves and copies make no folders.
FOLDERS = ["moved", "copied"]
TUS_PIECE = {"Tus_Resumable": "1.0.0", "Content_Type": "application/offset+octet-stream"}


@dataclasses.dataclass
class Resumable:
    """A tus upload; `told` has each offset that the server said, and when."""

    name: str
    content: bytes
    place: str
    told: list
    change: oracle.Change

    @property
    def id(self):
        return self.place.rpartition("/")[2]

    def highest(self, moment):
        return max((offset for at, offset in self.told if at <= moment), default=0)


class History:
    """Of all cycles: changes as the oracle wants them, moves as pairs of names, uploads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changes, self.moves, self.uploads = [], [], []
        self.number = 0

    def name(self, kind):
        with self.lock:
            self.number += 1
            return f"{kind}/{self.number:05d}"

    def begin(self, name, content):
        change = oracle.Change(name, content, time.monotonic())
        with self.lock:
            self.changes.append(change)
        return change

    def acknowledgements(self, since, until):
        with self.lock:
            ends = [change.end for change in self.changes] + [at for upload in self.uploads for at, _ in upload.told]
        return sorted(end for end in ends if since < end < until)


class Load:
    """Clients, until the power is gone."""

    def __init__(self, world, history, cycle):
        self.world, self.history = world, history
        self.clients = [Client(world, history, f"{world.seed} {cycle} {number}") for number in range(CLIENTS)]
        for client in self.clients:
            client.start()

    def stop(self):
        for client in self.clients:
            client.over.set()
        for client in self.clients:
            client.join()


class Client(threading.Thread):
    """Its own names, which nobody else changes, and a few that all overwrite."""

    def __init__(self, world, history, seed):
        super().__init__()
        self.world, self.history, self.over = world, history, threading.Event()
        self.lots = random.Random(seed)
        self.mine = []
        self.kinds = {self.small: 6, self.overwrite: 3, self.large: 1, self.move: 2, self.remove: 1, self.copy: 2,
                      self.pieces: 2}

    def run(self):
        while not self.over.is_set():
            self.lots.choices(list(self.kinds), list(self.kinds.values()))[0]()

    def request(self, method, path, body=None, **headers):
        """Status, head fields and the moment at which the answer was there; no status when nobody answered."""
        host = self.world.direct(self.lots.randint(1, len(self.world.ports))).removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=6)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body=body, headers={
                "Authorization": self.world.files.authorization, **fields})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers, time.monotonic()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
            return None, {}, math.inf
        finally:
            connection.close()

    def put(self, name, size):
        body = self.lots.randbytes(size)
        change = self.history.begin(name, hashlib.sha256(body).hexdigest())
        status, _, at = self.request("PUT", f"/files/{name}?parents=true", body)
        if status in (200, 201):
            change.end = at
        return change

    def fresh(self, kind, size):
        change = self.put(self.history.name(kind), size)
        if change.acknowledged:
            self.mine.append(change)

    def small(self):
        self.fresh("small", self.lots.randint(1, 20_000))

    def large(self):
        self.fresh("large", self.lots.randint(400_000, 1_500_000))

    def overwrite(self):
        self.put(f"over/{self.lots.randrange(OVERWRITTEN)}", self.lots.choice([100, 5_000, 300_000]))

    def one_of_mine(self):
        return self.mine.pop(self.lots.randrange(len(self.mine))) if self.mine else None

    def move(self):
        if not (source := self.one_of_mine()):
            return
        target = self.history.name("moved")
        gone, there = self.history.begin(source.name, None), self.history.begin(target, source.content)
        with self.history.lock:
            self.history.moves.append((source.name, target))
        status, _, at = self.request("MOVE", f"/files/{source.name}", Destination=f"/files/{target}")
        if status == 201:
            gone.end = there.end = at

    def copy(self):
        if not (source := self.one_of_mine()):
            return
        self.mine.append(source)
        change = self.history.begin(self.history.name("copied"), source.content)
        status, _, at = self.request("COPY", f"/files/{source.name}", Destination=f"/files/{change.name}")
        if status == 201:
            change.end = at

    def remove(self):
        if not (source := self.one_of_mine()):
            return
        change = self.history.begin(source.name, None)
        status, _, at = self.request("DELETE", f"/files/{source.name}")
        if status == 204:
            change.end = at

    def pieces(self):
        """A resumable upload; some stay unfinished."""
        content = self.lots.randbytes(self.lots.randint(200_000, 1_500_000))
        name = self.history.name("pieces")
        change = self.history.begin(name, hashlib.sha256(content).hexdigest())
        status, headers, _ = self.request(
            "POST", f"/files/{name}?parents=true", Tus_Resumable="1.0.0", Upload_Length=str(len(content)))
        if status != 201:
            return
        upload = Resumable(name, content, headers["Location"], [], change)
        with self.history.lock:
            self.history.uploads.append(upload)
        stops = self.lots.random() < 0.3
        self.go_on(upload, len(content) // 2 if stops else len(content))

    def go_on(self, upload, until):
        """Sends pieces until so much is there; asks for the offset after each failure."""
        offset, failures = upload.highest(math.inf), 0
        while offset < until and failures < 20:
            piece = upload.content[offset:offset + self.lots.randint(20_000, 500_000)]
            status, headers, at = self.request(
                "PATCH", upload.place, piece, Upload_Offset=str(offset), **TUS_PIECE)
            if status != 204:
                failures += 1
                if self.over.is_set():
                    return
                status, headers, at = self.request("HEAD", upload.place, Tus_Resumable="1.0.0")
                if status != 200:
                    time.sleep(0.2)
                    continue
            offset = int(headers["Upload-Offset"])
            upload.told.append((at, offset))
            if offset == len(upload.content):
                upload.change.end = at
