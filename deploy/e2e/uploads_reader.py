"""A reader over HTTP that trusts nobody: a destination shows nothing, or a whole version that somebody sent."""

import hashlib
import http.client
import random
import threading
import time
import urllib.parse

import oracle
from uploads_clients import UNREAD


class Reader(threading.Thread):
    """Asks for names that are being written, and some that are done; for the oracle it writes down what it saw."""

    def __init__(self, world, ledger, over, number):
        super().__init__(name=f"Reader {number}")
        self.world, self.ledger, self.over = world, ledger, over
        self.lots = random.Random(f"{world.seed} reader {number}")
        self.gets, self.cut, self.refused, self.halves = [], 0, 0, 0

    def run(self):
        while not self.over.is_set():
            with self.ledger.lock:
                recent = self.ledger.sent[-40:]
                sent = self.lots.choice(recent if self.lots.random() < 0.8 else self.ledger.sent) if recent else None
            if sent is None or sent.name.startswith(UNREAD):
                time.sleep(0.05)
            elif self.lots.random() < 0.2:
                self.in_halves(sent)
            else:
                self.whole(sent)
            time.sleep(0.02)

    def request(self, name, headers):
        """Status, head fields and body; None when no whole answer came."""
        number = self.lots.randint(0, len(self.world.ports))
        host = (self.world.direct(number) if number else self.world.files.url).removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=20)
        try:
            connection.request("GET", f"/files/{urllib.parse.quote(name)}",
                               headers={"Authorization": self.world.files.authorization, **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.cut += 1
            return None
        finally:
            connection.close()

    def whole(self, sent):
        start = time.monotonic()
        answer = self.request(sent.name, {})
        if answer is None or answer[0] not in (200, 404):
            self.refused += answer is not None
            return
        self.saw(sent.name, answer[2] if answer[0] == 200 else None, start)

    def saw(self, name, body, start):
        content = None if body is None else hashlib.sha256(body).hexdigest()
        # A file that another program would see half written has a digest that nobody sent.
        self.gets.append(oracle.Get(name, content, start, time.monotonic()))

    def in_halves(self, sent):
        """Two ranges of one version: the second only if it is still that one."""
        start = time.monotonic()
        first = self.request(sent.name, {"Range": "bytes=0-499"})
        if first is None or first[0] != 206:
            return
        second = self.request(sent.name, {"Range": "bytes=500-", "If-Range": first[1]["ETag"]})
        if second and second[0] == 206:
            self.halves += 1
            self.saw(sent.name, first[2] + second[2], start)
        elif second and second[0] == 200:
            self.saw(sent.name, second[2], start)
