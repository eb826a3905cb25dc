"""Jobs that are submitted by REST for files that stay where they are, and where they bring what they carry."""

import hashlib
import os
import random
import secrets
import threading
import time

from clients import Files
from report import Stop


class Archive:
    """Another account, and what jobs should have brought where: known only once a job is to be submitted."""

    def __init__(self, world, share):
        self.world = world
        self.share = share
        self.folder = f"carried-{world.seed}"
        self.files = Files(world.files.url, f"archive-{world.seed}", secrets.token_hex(12), world.files.scratch)
        self.lots = random.Random(f"{world.seed} carried")
        self.lock = threading.Lock()
        # By when and path: from and to as (account, path), the digest, whether the source stays.
        self.copies = {}
        self.moves = {}

    def open(self):
        self.world.admin.post("accounts", {"name": self.files.account, "password": self.files.password})

    def wants(self):
        with self.lock:
            return self.lots.random() < self.share

    def toss(self):
        with self.lock:
            return self.lots.random() < 0.5

    def on_disk(self, place):
        account, path = place
        return os.path.join(self.world.cluster.mount, "homes", account, path.lstrip("/"))

    def put(self, load, place, body):
        """Answers where it is.

        An attempt that nobody answered may still be carried out, so each has a name of its own.
        """
        end = time.monotonic() + 90
        attempt = 0
        while time.monotonic() < end:
            target = f"{place}-{attempt}"
            headers = {"Authorization": self.files.authorization}
            if load.once("PUT", target, load.lots, headers, body, "?parents=true") == 201:
                return target
            attempt += 1
            time.sleep(0.2)
        raise Stop(f"nobody took {place}")


class Kind:
    """A kind of its own adds a class here and its name to KINDS."""

    name = ""

    def payload(self, archive, load, when, path):
        """For one file; None when there is to be no job."""
        raise NotImplementedError

    def holds(self, job):
        """Whether the ended job did what it should."""
        return job["state"] == "done"


class Verify(Kind):
    name = "verify"

    def payload(self, archive, load, when, path):
        return {"account": archive.world.files.account, "path": path}

    def holds(self, job):
        return job["state"] == "done" and job.get("note", "").startswith("the digest is right")


def order(source, target):
    return {"from": {"account": source[0], "path": source[1]}, "to": {"account": target[0], "path": target[1]},
            "parents": True}


class Copy(Kind):
    """To the other home."""

    name = "copy"

    def payload(self, archive, load, when, path):
        if not archive.wants():
            return None
        source = (archive.world.files.account, path)
        target = (archive.files.account, f"/{archive.folder}/copied/{when}{path}")
        with open(archive.on_disk(source), "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        archive.copies[(when, path)] = (source, target, digest)
        return order(source, target)


class Move(Kind):
    """Of a file of its own: half of them within a home, half of them from one to another."""

    name = "move"

    def payload(self, archive, load, when, path):
        if not archive.wants():
            return None
        body = f"{when}{path} ".encode() * 400
        source = (archive.files.account, "/" + archive.put(load, f"{archive.folder}/moving/{when}{path}", body))
        home = archive.files.account if archive.toss() else archive.world.files.account
        target = (home, f"/{archive.folder}/moved/{when}{path}")
        archive.moves[(when, path)] = (source, target, hashlib.sha256(body).hexdigest())
        return order(source, target)


KINDS = {kind.name: kind for kind in [Verify(), Copy(), Move()]}
