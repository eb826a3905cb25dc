"""Compares what clients were told, the transfer log, and the disk: none may know anything that the others do not."""

import os
import time

import checks
import oracle
from trees import digest
from uploads_clients import SHARED

# A row of a download may follow its end so late; who dies in that time takes it along.
LAG = 4.0


class Judge:
    def __init__(self, world, ledger, readers, history):
        self.world, self.ledger, self.readers, self.history = world, ledger, readers, history
        self.report = world.report
        self.disk = {os.path.relpath(path, world.home): path for path in checks.files_below(world.home)}
        self.digests = {name: digest(path) for name, path in self.disk.items()}
        self.rows = [dict(zip(("id", "name", "sha256", "size", "protocol"), row)) for row in self.completed()]

    def completed(self):
        return self.world.database.rows(
            "select id, convert_from(path, 'UTF8'), encode(digest, 'hex'), size, protocol from flotilla.transfer where "
            f"account = '{self.world.files.account}' and kind = 'upload' and status = 'completed' order by ended_at")

    def run(self):
        self.whole()
        self.acknowledged()
        self.counted()
        self.log_and_disk()
        self.seen()
        self.downloads()

    def whole(self):
        """What is on disk now is what somebody sent."""
        wrong = [name for name, sha256 in self.digests.items() if sha256 not in self.ledger.allowed.get(name, {})]
        self.report.check(not wrong, f"each of the {len(self.disk)} files on disk is a whole version that was sent",
                          wrong[:3])

    def acknowledged(self):
        acknowledged, by_id = self.ledger.acknowledged(), {row["id"]: row for row in self.rows}
        lost = [sent for sent in acknowledged
                if sent.name not in SHARED and not sent.name.startswith("paused/")
                and self.digests.get(sent.name) != sent.sha256]
        self.report.check(not lost, f"all {len(acknowledged)} acknowledged uploads are on disk with their digests",
                          lost[:3])
        wrong = []
        for sent in acknowledged:
            row = by_id.get(sent.transfer)
            if not row or (row["name"], row["sha256"], int(row["size"])) != (sent.name, sent.sha256, sent.size):
                wrong.append((sent, row))
        self.report.check(not wrong, "each acknowledged upload has its record, by the id that its client was told, "
                          "with path, bytes and digest", wrong[:3])
        named = {"Curl": "http", "Once": "http", "Wget": "http", "Draft": "draft", "aiotus": "tus", "tuspy": "tus"}
        protocols = {(sent.client, by_id[sent.transfer]["protocol"]) for sent in acknowledged if sent.transfer in by_id}
        wrong = [pair for pair in protocols if named.get(pair[0].split("-")[0], pair[1]) != pair[1]]
        self.report.check(not wrong, "the records name the protocol", wrong)

    def counted(self):
        """One record for each upload; a PUT that its client tried again may have been decided each time."""
        counts, wrong = {}, []
        for row in self.rows:
            counts[row["name"]] = counts.get(row["name"], 0) + 1
            if self.ledger.allowed.get(row["name"], {}).get(row["sha256"]) != int(row["size"]):
                wrong.append(("nobody sent this", row))
        for sent in self.ledger.sent:
            if sent.name in SHARED or sent.name.startswith("paused/"):
                continue
            most = 1 if sent.client.startswith(("tuspy", "aiotus")) else sent.tries
            if not (1 if sent.acknowledged else 0) <= counts.get(sent.name, 0) <= most:
                wrong.append((counts.get(sent.name, 0), sent))
        twice = len([name for name, count in counts.items() if count > 1 and name not in SHARED])
        self.report.check(not wrong, f"exactly one record for each ({len(self.rows)} records; {twice} names were put "
                          "again by clients that had heard nothing)", wrong[:3])

    def log_and_disk(self):
        last = {row["name"]: row["sha256"] for row in self.rows}
        wrong = [name for name in last.keys() | self.digests.keys() if last.get(name) != self.digests.get(name)]
        self.report.check(not wrong, f"the log's last upload of each of {len(last)} names is what is on disk",
                          [(name, last.get(name), self.digests.get(name)) for name in wrong[:3]])
        running = self.world.database.rows("select id, kind, path from flotilla.transfer where status = 'running'")
        self.report.check(not running, "no transfer is left running", running[:3])

    def seen(self):
        gets = [get for reader in self.readers for get in reader.gets]
        changes = [oracle.Change(sent.name, sent.sha256, sent.start, sent.end) for sent in self.ledger.sent]
        wrong = oracle.judge(changes, gets)
        nothing = sum(get.content is None for get in gets)
        halves, cut, refused = (
            sum(getattr(reader, what) for reader in self.readers) for what in ("halves", "cut", "refused"))
        self.report.check(
            not wrong, f"{len(gets)} looks over HTTP ({nothing} saw nothing, {halves} in two ranges; {cut} were cut "
            f"off, {refused} refused): nothing, or a whole version, never an older one", wrong[:5])

    def endangered(self, fetched):
        """Its node died about then: the record may have died with it."""
        return any(fetched.node in note.deadly and note.start - LAG <= fetched.end <= note.end + LAG
                   for note in self.history)

    def downloads(self):
        """Of files that one client only fetches, once: exactly one record with all bytes."""
        counts = self.download_rows()
        wrong, judged, lost = [], 0, 0
        for fetched in self.ledger.fetched:
            if not fetched.whole:
                continue
            judged += 1
            sizes = counts.get(fetched.name, [])
            if sizes != [fetched.size]:
                lost += 1
                if sizes or not self.endangered(fetched):
                    wrong.append((fetched, sizes))
        self.report.check(not wrong, f"{judged} downloads under load: one record each with all its bytes "
                          f"({lost} died with their node)", wrong[:3])

    def download_rows(self, since="-infinity"):
        counts = {}
        for name, size in self.world.database.rows(
                "select convert_from(path, 'UTF8'), size from flotilla.transfer where kind = 'download' and "
                f"status = 'completed' and account = '{self.world.files.account}' and started_at > '{since}'"):
            counts.setdefault(name, []).append(int(size))
        return counts

    def fetch_all(self):
        """Every file once, each from another node than the one before; the log has each once, with its bytes."""
        since = self.world.database.rows("select clock_timestamp()")[0][0]
        into = os.path.join(self.world.files.scratch, "last-fetched")
        wrong = []
        for number, name in enumerate(sorted(self.disk)):
            files = self.world.files.at(self.world.direct(number % len(self.world.ports) + 1))
            answer = files.get(name, into, retry=False)
            if answer.status != 200 or digest(into) != self.digests[name]:
                wrong.append((name, str(answer)))
        self.report.check(not wrong, f"each of the {len(self.disk)} files is served whole", wrong[:3])
        expected = {name: [os.path.getsize(path)] for name, path in self.disk.items()}
        end = time.monotonic() + 10
        while (rows := self.download_rows(since)) != expected and time.monotonic() < end:
            time.sleep(0.3)
        wrong = [(name, rows.get(name), expected.get(name)) for name in rows.keys() | expected.keys()
                 if rows.get(name) != expected.get(name)]
        self.report.check(not wrong, "and each of these downloads has one record with its bytes", wrong[:3])
