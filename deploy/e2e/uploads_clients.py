"""Clients that nobody here wrote, and what each of them was told.

Each is one thread that sends, or fetches, until it is over.
"""

import dataclasses
import hashlib
import json
import math
import os
import random
import subprocess
import threading
import time

import environment
from clients import Files
from report import Stop
from trees import digest
from uploads_draft import DraftUpload

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "uploads")
# The readers leave these names alone, so that the log has no other downloads of them.
UNREAD = ("once/", "large/")
SHARED = [f"shared/{number}.bin" for number in range(3)]
PASSING = "500,502,503,504,423,429,408"
SECONDS = 180


@dataclasses.dataclass
class Sent:
    """An upload: what was sent, and what its client was told. Times of the steady clock."""

    client: str
    name: str
    sha256: str
    size: int
    start: float
    end: float = math.inf
    transfer: str | None = None
    tries: int = 1

    @property
    def acknowledged(self):
        return self.end < math.inf


@dataclasses.dataclass
class Fetched:
    """A whole file by one request: from whom, how many bytes came, and until when by the real clock."""

    name: str
    node: str | None
    size: int
    end: float
    whole: bool


class Ledger:
    """What all clients did, and which contents each name may show."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.fetched, self.counts = [], [], {}
        self.allowed = {}
        self.numbers = {}

    def begin(self, client, name, source):
        sent = Sent(client, name, digest(source), os.path.getsize(source), time.monotonic())
        with self.lock:
            self.allowed.setdefault(name, {})[sent.sha256] = sent.size
            self.sent.append(sent)
        return sent

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def number(self, client):
        with self.lock:
            self.numbers[client] = self.numbers.get(client, 0) + 1
            return self.numbers[client]

    def acknowledged(self):
        with self.lock:
            return [sent for sent in self.sent if sent.acknowledged]


class Client(threading.Thread):
    """What kinds have in common: a folder of its own, its lots, sources, and an end."""

    def __init__(self, world, ledger, over, number):
        super().__init__(name=f"{type(self).__name__} {number}")
        self.world, self.ledger, self.over = world, ledger, over
        self.kind = type(self).__name__
        self.lots = random.Random(f"{world.seed} {self.name}")
        self.folder = os.path.join(world.files.scratch, self.name.replace(" ", "-"))
        os.makedirs(self.folder, exist_ok=True)
        self.files = Files(world.files.url, world.files.account, world.files.password, self.folder)

    def run(self):
        while not self.over.is_set():
            try:
                self.one()
                self.ledger.count(self.kind)
            except (Stop, OSError, ValueError, subprocess.TimeoutExpired) as error:
                self.world.report.violation(f"{self.kind}: {error}")
            self.over.wait(0.05)
        self.close()

    def close(self):
        """Ends what it started."""

    def source(self, smallest, largest, name="source"):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(self.lots.randbytes(self.lots.randint(smallest, largest)))
        return path

    def fresh(self):
        return f"{self.kind.lower()}/{self.ledger.number(self.kind):04d} ü.bin"

    def anywhere(self):
        """The balancer, or a worker itself."""
        if self.lots.random() < 0.6:
            return self.files
        return self.files.at(self.world.direct(self.lots.randint(1, len(self.world.ports))))

    def run_tool(self, words, **more):
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL, **more)
        if done.returncode:
            raise Stop(f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
        return done


class Curl(Client):
    """PUT, tried again by curl; the larger ones wait for `100 Continue` and take a second or two."""

    def one(self):
        source, name = self.source(1, self.lots.choice([4_000, 400_000, 6_000_000])), self.fresh()
        sent = self.ledger.begin(self.kind, name, source)
        rate = max(sent.size // 2, 500_000) if sent.size > 1_000_000 else None
        answer = self.files.put(source, name, rate=rate)
        sent.tries = answer.tries
        if answer.status not in (200, 201) or answer.json.get("sha256") != sent.sha256:
            raise Stop(f"put {name}: {answer}")
        sent.end, sent.transfer = time.monotonic(), answer.json["transfer_id"]


class Once(Client):
    """PUT without another try, over names that others write too; then it is fetched once, where nobody else does."""

    def one(self):
        shared = self.lots.random() < 0.5
        source = self.source(1, 1_500_000)
        sent = self.ledger.begin(self.kind, self.lots.choice(SHARED) if shared else self.fresh(), source)
        answer = self.anywhere().put(source, sent.name, retry=False, rate=2_000_000)
        if answer.status in (200, 201):
            sent.end, sent.transfer = time.monotonic(), answer.json["transfer_id"]
            if not shared:
                self.fetch(sent)

    def fetch(self, sent):
        heads, into = os.path.join(self.folder, "heads"), os.path.join(self.folder, "fetched")
        with open(heads, "wb"):
            pass
        files = self.anywhere()
        answer = files.curl(["--dump-header", heads, files.address(sent.name)], False, into)
        size = os.path.getsize(into) if answer.status == 200 else 0
        with open(heads, encoding="latin-1") as file:
            fields = dict(line.lower().strip().split(": ", 1) for line in file if ": " in line)
        self.ledger.fetched.append(
            Fetched(sent.name, fields.get("flotilla-node"), size, time.time(), answer.status == 200))
        if answer.status == 200 and digest(into) != sent.sha256:
            self.world.report.violation(f"get {sent.name}: another digest")
        elif answer.status not in (0, 200, 502, 503, 504):
            self.world.report.violation(f"get {sent.name} after it was acknowledged: {answer}")


class Wget(Client):
    """wget can PUT, too."""

    def one(self):
        source, name = self.source(1, 800_000), self.fresh()
        sent = self.ledger.begin(self.kind, name, source)
        into = os.path.join(self.folder, "answer")
        self.run_tool(["wget", "--quiet", "--config", wgetrc(self), "--method=PUT", f"--body-file={source}",
                       "--output-document", into, self.files.address(name, "?parents=true")])
        with open(into, encoding="utf-8") as file:
            answer = json.loads(file.read())
        sent.end, sent.transfer, sent.tries = time.monotonic(), answer["transfer_id"], math.inf


class Draft(Client):
    """The IETF draft, both of its versions."""

    def one(self):
        source, name = self.source(1, 5_000_000), self.fresh()
        sent = self.ledger.begin(self.kind, name, source)
        upload = DraftUpload(self.files, source, name, self.lots.choice([6, 8]), max(sent.size // 2, 500_000))
        sent.transfer = upload.run()
        sent.end, sent.tries = time.monotonic(), upload.tries
        for wrong in upload.wrong:
            self.world.report.violation(f"{name}: {wrong}")


class Tus(Client):
    """tuspy and aiotus: in pieces of many sizes, some with checksums, some in parts that are put together."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.process = subprocess.Popen(
            [environment.python(f"{HERE}/requirements.txt"), "-B", f"{HERE}/tus_clients.py"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, start_new_session=True)

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)

    def one(self):
        kind = self.lots.choice(["tuspy", "tuspy", "tuspy-checksum", "tuspy-shared", "aiotus", "aiotus-parts"])
        source = self.source(1, 5_000_000)
        shared = kind == "tuspy-shared"
        name = self.lots.choice(SHARED) if shared else self.fresh()
        sent = self.ledger.begin(kind, name, source)
        folder, _, last = name.rpartition("/")
        order = {
            "client": kind.partition("-")[0], "name": last, "file": source, "pause": 0.1,
            "endpoint": self.files.address(f"{folder}/", "?parents=true"),
            "authorization": self.files.authorization, "chunk": self.lots.choice([300_000, 1_000_000, 1 << 24]),
            "checksum": kind == "tuspy-checksum"}
        if kind == "aiotus-parts":
            order["parts"] = self.parts(source)
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"ok": false, "wrong": [], "problem": "it died"}')
        for wrong in answer["wrong"]:
            self.world.report.violation(f"{name}: {wrong}")
        if not answer["ok"]:
            raise Stop(f"{kind} {name}: {answer['problem']}")
        sent.end, sent.transfer, sent.tries = time.monotonic(), answer["url"].rpartition("/")[2], answer["tries"]
        self.ledger.count(kind)

    def parts(self, source):
        paths = []
        with open(source, "rb") as file:
            size = os.path.getsize(source)
            for number, count in enumerate([size // 3, size // 2, size - size // 3 - size // 2]):
                if count:
                    paths.append(f"{source}.{number}")
                    with open(paths[-1], "wb") as part:
                        part.write(file.read(count))
        return paths


class Fetch(Client):
    """Large files by clients that go on where they were cut off; each in turn."""

    def one(self):
        sent = self.lots.choice([sent for sent in self.ledger.acknowledged() if sent.client == "large"])
        into = os.path.join(self.folder, "fetched")
        for path in (into, f"{into}.aria2"):
            if os.path.exists(path):
                os.unlink(path)
        client = self.lots.choice(["curl", "wget", "aria2c", "rclone"])
        getattr(self, client)(self.files.address(sent.name), into, sent)
        if digest(into) != sent.sha256:
            raise Stop(f"{client} got {os.path.getsize(into)} bytes of {sent.name}, not the file")
        self.ledger.count(f"fetched by {client}")

    def curl(self, url, into, sent):
        end = time.monotonic() + SECONDS
        while True:
            answer = self.files.curl(["--continue-at", "-", "--limit-rate", "4M", "--fail", url], False, into)
            if answer.status in (200, 206) and os.path.getsize(into) >= sent.size:
                return
            if time.monotonic() > end:
                raise Stop(f"curl --continue-at: {answer}")
            time.sleep(0.5)

    def wget(self, url, into, sent):
        self.run_tool(["wget", "--quiet", "--config", wgetrc(self), "--continue", "--limit-rate=4m",
                       "--output-document", into, url])

    def aria2c(self, url, into, sent):
        path = os.path.join(self.folder, "aria2.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"http-user={self.files.account}\nhttp-passwd={self.files.password}\n")
        self.run_tool(["aria2c", f"--conf-path={path}", "-x8", "-s8", "-k1M", "--max-tries=0", "--retry-wait=1",
                       "--max-overall-download-limit=4M", "--auto-file-renaming=false", "--quiet", "-d", self.folder,
                       "-o", os.path.basename(into), url])

    def rclone(self, url, into, sent):
        base, _, path = url.partition("/files/")
        more = {"RCLONE_HTTP_HEADERS": f"Authorization,{self.files.authorization}", "RCLONE_CONFIG": "/dev/null",
                "RCLONE_HTTP_URL": f"{base}/files/"}
        self.run_tool(["rclone", "copyto", f":http:{sent.name}", into, "--multi-thread-streams=4",
                       "--multi-thread-cutoff=1M", "--bwlimit=4M", "--retries=40", "--low-level-retries=20",
                       "--retries-sleep=500ms"], env={**os.environ, **more})


def wgetrc(client):
    path = os.path.join(client.folder, "wgetrc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"user = {client.files.account}\npassword = {client.files.password}\nauth_no_challenge = on\n"
                   f"tries = 100\nwaitretry = 1\nretry_connrefused = on\nretry_on_http_error = {PASSING}\n"
                   "timeout = 60\n")
    return path


def put_large(world, ledger, count, size):
    """What is fetched again and again."""
    for number in range(count):
        source = os.path.join(world.files.scratch, "large")
        with open(source, "wb") as file:
            file.write(world.lots.randbytes(size))
        sent = ledger.begin("large", f"large/{number}.bin", source)
        answer = world.files.put(source, sent.name)
        if answer.json.get("sha256") != hashlib.sha256(open(source, "rb").read()).hexdigest():
            raise Stop(f"put {sent.name}: {answer}")
        sent.end, sent.transfer = time.monotonic(), answer.json["transfer_id"]
