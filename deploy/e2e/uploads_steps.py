"""Steps of the uploads part: what operators see while a node is paused, that its writer commits nothing, and expiry."""

import json
import os
import signal
import threading
import time

import checks
from faults_part import kill
from report import Stop, wait_for
from servers import options_of
from trees import digest

SIZE = 3_000_000
RATE = 300_000
TUS = ["--header", "Tus-Resumable: 1.0.0"]
PIECE = [*TUS, "--header", "Content-Type: application/offset+octet-stream", "--request", "PATCH"]


class Asker:
    """The program's own commands, asked of one node."""

    def __init__(self, world, program, node):
        self.world, self.program = world, program
        port = options_of(world.cluster.row(node)["pid"])["--admin-port"]
        self.options = ["--admin", f"http://127.0.0.1:{port}", "--token", world.admin.token]

    def table(self, *words):
        code, output = self.program.run([*words, *self.options])
        if code != 0:
            raise Stop(f"flotilla {' '.join(words)} ended with {code}: {output[-300:]}")
        return output

    def json(self, *words):
        return json.loads(self.table(*words, "--json"))


def begin(files, name, length):
    """A tus upload's address at this node."""
    heads = os.path.join(files.scratch, "begin-heads")
    answer = files.curl(
        ["--dump-header", heads, *TUS, "--header", f"Upload-Length: {length}", "--request", "POST",
         files.address(name, "?parents=true")], True)
    with open(heads, encoding="latin-1") as file:
        place = [line.split(": ")[1].strip() for line in file if line.lower().startswith("location: ")]
    if answer.status != 201 or not place:
        raise Stop(f"an upload of {name}: {answer}")
    return place[-1]


def offset(files, place):
    answer = files.curl([*TUS, "--head", files.url + place], False)
    fields = dict(line.lower().split(": ", 1) for line in answer.body.splitlines() if ": " in line)
    return int(fields["upload-offset"]) if answer.status == 200 else None


class PausedWriter:
    """A PATCH and a PUT are on their way to worker-1 when it is stopped; both go on, and end, at worker-2."""

    def __init__(self, world, program, ledger):
        self.world, self.ledger, self.report = world, ledger, world.report
        self.first, self.second = (world.files.at(world.direct(number)) for number in (1, 2))
        self.asker = Asker(world, program, "worker-2")
        self.old = self.content("old", SIZE)
        self.new = self.content("new", 50_000)
        self.answers, self.threads = {}, []

    def content(self, name, size):
        path = os.path.join(self.world.files.scratch, f"paused-{name}")
        with open(path, "wb") as file:
            file.write(self.world.lots.randbytes(size))
        return path

    def send(self, what, *words):
        def run():
            rate = ["--limit-rate", str(RATE), "--upload-file", self.old]
            self.answers[what] = self.first.curl([*words[:-1], *rate, words[-1]], False)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def run(self):
        piecewise, at_once = "paused/pieces.bin", "paused/put.bin"
        sent = self.ledger.begin("paused", piecewise, self.old)
        self.ledger.begin("paused", at_once, self.old)
        place = begin(self.first, piecewise, SIZE)
        sent.transfer = place.rpartition("/")[2]
        began = time.monotonic()
        self.send("PATCH", *PIECE, "--header", "Upload-Offset: 0", self.first.url + place)
        self.send("PUT", self.first.address(at_once, "?parents=true"))
        time.sleep(3)
        durable = self.look(sent.transfer, piecewise, began)
        kill(pid := self.world.cluster.row("worker-1")["pid"], signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            self.missing(sent.transfer)
            self.go_on(place, durable, stopped)
            sent.end = time.monotonic()
            new = self.ledger.begin("paused", at_once, self.new)
            answer = self.second.put(self.new, at_once)
            self.report.check(answer.status == 201, "another file goes to the name at the other node", answer)
            new.end, new.transfer = time.monotonic(), answer.json.get("transfer_id")
            time.sleep(max(0, stopped + 8 - time.monotonic()))
        finally:
            kill(pid, signal.SIGCONT)
        for thread in self.threads:
            thread.join()
        self.nothing_committed(sent, at_once)

    def look(self, upload, name, began):
        """The tables while both are on their way; how far the upload is durable by them."""
        row = next((row for row in self.asker.json("uploads", "list", "--state", "open")["items"]
                    if row["id"] == upload), {})
        durable = row.get("durable", 0)
        self.report.check(
            row.get("node") == "worker-1" and row["length"] == SIZE
            and 0 < durable <= RATE * (time.monotonic() - began + 1)
            and RATE / 3 < row["rate"] < RATE * 3, "uploads list: node, durable bytes, length and rate", row)
        answer = self.asker.json("sessions", "--node", "worker-1", "--kind", "upload")
        mine = {session["path"].lstrip("/"): session for session in answer["items"] if "paused/" in session["path"]}
        tus, put = mine.get(name, {}), mine.get("paused/put.bin", {})
        self.report.check(
            tus.get("upload_id") == upload and tus["protocol"] == "tus" and put.get("protocol") == "http"
            and all(RATE / 3 < session["rate"] < RATE * 3 and session["bytes"] >= RATE for session in (tus, put))
            and not answer["missing_nodes"], "sessions: both requests with their protocol, bytes and rate", answer)
        texts = self.asker.table("uploads", "list"), self.asker.table("sessions")
        self.report.check(upload in texts[0] and all(name in text and "worker-1" in text for text in texts),
                          "the tables for people show it, too", texts)
        return durable

    def missing(self, upload):
        """The paused node is named, and not passed over."""
        answer = self.asker.json("sessions")
        text = self.asker.table("sessions")
        alive = [node["name"] for node in self.world.admin.nodes() if node["status"] == "active"]
        self.report.check(
            "worker-1" not in alive or answer["missing_nodes"] == ["worker-1"],
            "sessions name the paused node as one that did not answer", (answer, text))
        self.report.say(f"afterwards active: {alive}; the table ends with {text.strip().splitlines()[-1]!r}")
        self.report.check(
            any(row["id"] == upload and row["state"] == "open" for row in self.asker.json("uploads", "list")["items"]),
            "its upload is listed by another node")

    def go_on(self, place, durable, stopped):
        at = wait_for(20, "the other node to tell the offset", lambda: offset(self.second, place))
        self.report.check(durable <= at < SIZE, f"the other node goes on at {at}, durable was {durable}", at)
        rest = self.content("rest", 0)
        with open(self.old, "rb") as whole, open(rest, "wb") as file:
            whole.seek(at)
            file.write(whole.read())
        answer = self.second.curl(
            [*PIECE, "--header", f"Upload-Offset: {at}", "--upload-file", rest, self.second.url + place], False)
        self.report.check(answer.status == 204, "and takes the rest while the old writer is paused "
                          f"({time.monotonic() - stopped:.1f} s after the stop)", answer)

    def nothing_committed(self, sent, at_once):
        statuses = {what: answer.status for what, answer in self.answers.items()}
        self.report.check(not set(statuses.values()) & {200, 201, 204},
                          f"the old writer, awake again, acknowledges nothing: {statuses}", statuses)
        self.world.calm()
        home = self.world.home
        self.report.check(digest(os.path.join(home, sent.name)) == sent.sha256, "the resumed file is whole")
        self.report.check(digest(os.path.join(home, at_once)) == digest(self.new), "the newer file stays")
        rows = self.world.database.rows(
            "select count(*) filter (where id = '" + sent.transfer + "'), count(*) from flotilla.transfer "
            f"where digest = '\\x{sent.sha256}' and status = 'completed' and kind = 'upload'")[0]
        self.report.check(rows == ["1", "1"], "the log has the resumed upload once, and the paused PUT never", rows)
        segments = self.asker.json("uploads", "show", sent.transfer)["segments"]
        epochs = [segment["epoch"] for segment in segments]
        self.report.check(
            [segment["node"] for segment in segments] == ["worker-1", "worker-2"] and epochs == sorted(set(epochs)),
            "uploads show: who wrote which part, in rising epochs", segments)


def abandon(world):
    """Uploads that nobody goes on with, and their time is over; the place of one."""
    files, report = world.files.at(world.direct(1)), world.report
    source = os.path.join(files.scratch, "abandoned")
    with open(source, "wb") as file:
        file.write(world.lots.randbytes(200_000))
    place = begin(files, "abandoned/tus.bin", 1_000_000)
    answer = files.curl([*PIECE, "--header", "Upload-Offset: 0", "--upload-file", source, files.url + place], True)
    report.check(answer.status == 204, "an upload to abandon", answer)
    answer = files.curl(
        ["--header", "Upload-Draft-Interop-Version: 8", "--header", "Upload-Complete: ?0", "--upload-file", source,
         files.address("abandoned/draft.bin", "?parents=true")], True)
    report.check(answer.status == 201, "and one of the draft", answer)
    unfinished = world.database.number("select count(*) from flotilla.upload where status = 'open'")
    staged = checks.files_below(os.path.join(world.cluster.mount, ".flotilla", "staging"))
    report.say(f"{unfinished} uploads are open, {len(staged)} files in staging; their time is over")
    world.database.rows("update flotilla.upload set expires_at = clock_timestamp() where status = 'open'")
    return place


def expired(world, place):
    """Nothing is left of them."""
    files, report = world.files.at(world.direct(1)), world.report
    wait_for(90, "open uploads to expire", lambda: not world.database.number(
        "select count(*) from flotilla.upload where status in ('open', 'decided')"), every=0.5)
    checks.staging_is_empty(world.cluster.mount, report, 90)
    answer = files.curl([*TUS, "--head", files.url + place], False)
    report.check(answer.status == 410, "an upload that expired answers 410", answer)
    visible = checks.files_below(os.path.join(world.home, "abandoned"))
    report.check(not visible, "nothing became visible of them", visible)
