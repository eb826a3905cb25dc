"""Random faults for minutes under clients that write down what they did; the oracle judges the history afterwards."""

import hashlib
import http.client
import json
import os
import random
import threading
import time

import oracle
from chaos_faults import Faults, judge_deaths

MINUTES = float(os.environ.get("E2E_MINUTES") or 2)
NAMES = 24
WRITERS = 6
READERS = 3
SIZES = (0, 700, 20_000, 400_000)


class Client:
    """One attempt a request, no retries: each attempt is a change of its own."""

    def __init__(self, world, number):
        self.world = world
        self.lots = random.Random(f"{world.seed} chaos {number}")
        self.changes = []
        self.gets = []
        self.refused = 0
        self.number = number
        self.count = 0

    def connect(self):
        """Now and then through the balancer, else to a worker itself."""
        if self.lots.random() < 0.3:
            host = self.world.files.url.removeprefix("http://")
        else:
            host = self.world.direct(self.lots.randint(1, 5)).removeprefix("http://")
        return http.client.HTTPConnection(host, timeout=30)

    def path(self, name):
        return f"/files/chaos/{name}?parents=true"

    def request(self, method, path, body=None):
        """Status and body; None when nobody answered."""
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers={"Authorization": self.world.authorization})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def put(self, name):
        self.count += 1
        size = self.lots.choice(SIZES)
        body = f"{self.number} {self.count} ".encode() + self.lots.randbytes(size)
        change = oracle.Change(name, hashlib.sha256(body).hexdigest(), time.monotonic())
        self.changes.append(change)
        answer = self.request("PUT", self.path(name), body)
        if answer and answer[0] in (200, 201):
            change.end = time.monotonic()
            if json.loads(answer[1]).get("sha256") != change.content:
                self.world.report.violation(f"put {name}: another digest in {answer[1][:200]}")
        else:
            self.refused += 1

    def remove(self, name):
        change = oracle.Change(name, None, time.monotonic())
        self.changes.append(change)
        answer = self.request("DELETE", f"/files/chaos/{name}")
        if answer and answer[0] in (200, 204):
            change.end = time.monotonic()

    def get(self, name):
        started = time.monotonic()
        answer = self.request("GET", f"/files/chaos/{name}")
        if answer is None or answer[0] not in (200, 404):
            self.refused += 1
            return
        content = hashlib.sha256(answer[1]).hexdigest() if answer[0] == 200 else None
        self.gets.append(oracle.Get(name, content, started, time.monotonic()))


def run(world):
    oracle.prove()
    report = world.report
    report.say(f"--- chaos: {MINUTES:g} minutes of random faults, seed {world.seed}")
    world.authorization = world.files.authorization
    view = world.database.view_version()
    over = threading.Event()
    clients = [Client(world, number) for number in range(WRITERS + READERS)]
    threads = [threading.Thread(target=work, args=(client, over, client.number < WRITERS)) for client in clients]
    for thread in threads:
        thread.start()
    faults = Faults(world)
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end:
        faults.strike()
    faults.calm()
    over.set()
    for thread in threads:
        thread.join()
    world.calm()
    final = Client(world, 99)
    for number in range(NAMES):
        final.get(f"f{number}")
    judge(world, clients + [final], faults, view)


def work(client, over, writes):
    while not over.is_set():
        name = f"f{client.lots.randrange(NAMES)}"
        turn = client.lots.random()
        if not writes or turn < 0.2:
            client.get(name)
        elif turn < 0.27:
            client.remove(name)
        else:
            client.put(name)


def judge(world, clients, faults, view):
    report = world.report
    changes = [change for client in clients for change in client.changes]
    gets = [get for client in clients for get in client.gets]
    acknowledged = sum(change.acknowledged for change in changes)
    report.say(f"{len(changes)} changes tried, {acknowledged} acknowledged, {len(gets)} gets, "
               f"{sum(client.refused for client in clients)} refused or broken; faults: {faults.summary()}")
    report.check(acknowledged > 20 * MINUTES and len(gets) > 20 * MINUTES, "clients got through between the faults")
    wrong = oracle.judge(changes, gets)
    report.check(not wrong, "the history is one of registers: nothing invented, stale or going back", wrong[:5])
    log_knows(world, changes)
    deaths = world.database.died(view)
    unexplained = judge_deaths(deaths, faults.history)
    report.check(not unexplained, f"each of the {len(deaths)} deaths has its fault", unexplained[:5])


def log_knows(world, changes):
    """Each acknowledged put is in the log as completed, and no completed one has a digest that nobody sent."""
    logged = {row[0] for row in world.database.rows(
        "select encode(digest, 'hex') from flotilla.transfer where kind = 'upload' and status = 'completed' "
        "and convert_from(path, 'UTF8') like 'chaos/%'")}
    sent = {change.content for change in changes}
    missing = [c.name for c in changes if c.acknowledged and c.content and c.content not in logged]
    world.report.check(not missing, "each acknowledged put is in the transfer log", missing[:3])
    world.report.check(logged <= sent, "the transfer log has no upload that nobody sent", list(logged - sent)[:3])
