"""The queue under fire: webhooks with a receiver that counts, submitted jobs, and an operator who repairs by REST."""

import os
import random
import threading
import time

import jobs_judge
from clients import Admin
from jobs_kinds import Archive, KINDS
from jobs_faults import JobFaults
from jobs_load import JobLoad
from receiver import Receiver
from report import Stop, wait_for

FILES = int(os.environ.get("E2E_JOBS") or 300)
# Copies, and moves, of each of the two times that jobs are submitted.
CARRIED = 500
# Changes a second, all in all: so the faults hit work under way.
PACE = 100
SECONDS_MIN = 20.0
STUCK = 6
# More than the cluster has slots.
HANGING = 60
EVENTS = ["file.published", "file.removed", "file.moved"]


def run(world):
    report = world.report
    report.say(f"--- jobs: {FILES} files, webhooks, {', '.join(KINDS)}; nodes killed, paused and drained")
    receiver = Receiver(world.seed)
    try:
        JobsRun(world, receiver).run()
    finally:
        receiver.close()


class JobsRun:
    def __init__(self, world, receiver):
        self.world = world
        self.report = world.report
        self.admin = world.admin
        self.receiver = receiver
        self.folder = f"jobs-{world.seed}"
        self.submitted = {}
        self.archive = Archive(world, min(1.0, CARRIED / FILES))

    def run(self):
        self.archive.open()
        self.add_webhooks()
        load = JobLoad(self.world, self.folder, FILES, max(SECONDS_MIN, FILES / PACE))
        faults = JobFaults(self.world)
        with load:
            submitter = threading.Thread(target=self.submit_all, args=(load, "early"))
            submitter.start()
            while load.is_busy():
                faults.strike()
            submitter.join()
        self.report.say(f"faults: {faults.summary()}; {load.summary()}")
        faults.calm()
        self.others_go_on(load)
        self.submit_all(load, "late")
        self.repair()
        self.settle()
        self.world.calm()
        jobs_judge.judge(self, load)
        for hook in ("all", "ordered", "refused", "hanging"):
            self.admin.request("DELETE", f"webhooks/{self.hook(hook)}", None, {})

    def hook(self, name):
        return f"{self.folder}-{name}"

    def add_webhooks(self):
        """Two of everything, one of them in order; one whose receiver refuses, one whose receiver hangs."""
        self.receiver.refuses.add("refused")
        self.receiver.hangs.add("hanging")
        for name, below, ordered in (
                ("all", "", False), ("ordered", "", True), ("refused", "/stuck", False), ("hanging", "/slow", False)):
            made = self.admin.post("webhooks", {
                "name": self.hook(name), "url": self.receiver.url(name), "events": EVENTS, "ordered": ordered,
                "account": self.world.files.account, "below": f"/{self.folder}{below}"})
            self.receiver.secrets[name] = made["secret"]

    # --- Jobs that are submitted

    def submit_all(self, load, when):
        """One job of each kind for each file that stays where it is; a lost answer is asked for again by its key."""
        lots = random.Random(f"{self.world.seed} submit {when}")
        wanted = threading.Event()
        paths = iter(list(load.kept())) if when == "late" else load.follow()
        lock = threading.Lock()

        def work(admin):
            while not wanted.is_set():
                with lock:
                    path = next(paths, None)
                if path is None:
                    return
                for kind in KINDS.values():
                    payload = kind.payload(self.archive, load, when, path)
                    if payload is None:
                        continue
                    key = f"{self.folder}/{when}/{kind.name}{path}"
                    body = {"kind": kind.name, "account": self.world.files.account,
                            "payload": payload}
                    try:
                        answer = admin.request("POST", "jobs", body, {}, seconds=60, **{"Idempotency-Key": key})
                        if lots.random() < 0.05:
                            again = admin.request("POST", "jobs", body, {}, seconds=60, **{"Idempotency-Key": key})
                            if again["id"] != answer["id"] or not again["duplicate"]:
                                self.report.violation(f"{key} made {answer} and then {again}")
                        self.submitted[key] = (kind, answer["id"])
                    except Stop as error:
                        self.report.violation(f"submitting {key}: {error}")

        threads = [threading.Thread(target=work, args=(Admin(self.admin.url, self.admin.token),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # --- What an operator does

    def others_go_on(self, load):
        """A receiver that hangs holds up its own messages only, also when there are more of them than slots."""
        for number in range(HANGING):
            load.put(f"{self.folder}/slow/more-{number}", load.lots)
        known = len(self.receiver.effects)
        places = [f"{self.folder}/after/{number}" for number in range(5)]
        started = time.monotonic()
        for place in places:
            load.put(place, load.lots)

        def told():
            some = list(self.receiver.effects.values())[known:]
            return {m.event["path"] for m in some if m.hook == "all"} >= {f"/{place}" for place in places}

        try:
            # Many files leave a backlog, which goes first.
            wait_for(15 + FILES / 200, "messages to the receiver that answers", told, every=0.05)
            self.report.check(True, "while one receiver hangs, messages to another one go out "
                              f"({time.monotonic() - started:.1f} s for {len(places)})")
        except Stop as error:
            self.report.violation(str(error))

    def repair(self):
        """A stuck job is found, explained and mended by REST alone."""
        failed = wait_for(60, "refused messages to be dead letters", lambda: (
            found if len(found := self.jobs("failed", "refused")) >= STUCK else None))
        self.report.check(len(failed) == STUCK, f"{STUCK} refused messages are dead letters", len(failed))
        story = self.admin.get(f"jobs/{failed[0]['id']}")
        told = " ".join(story["because"]) + " ".join(entry.get("note") or "" for entry in story["history"])
        self.report.check("404" in told and "retry" in told, "a dead letter says why, and what can be done", told)
        stuck = self.jobs("later,claimed,ready", "hanging")
        told = [self.admin.get(f"jobs/{job['id']}") for job in stuck[:20]]
        told = [story for story in told if story["job"]["state"] == "later"]
        reasons = {entry.get("note") for story in told for entry in story["history"]}
        self.report.check(
            told and all(story["because"] for story in told) and reasons - {None},
            f"{len(stuck)} messages to the receiver that hangs say why they wait", reasons)
        event = self.admin.pages("events", kind="file.published")
        shown = next(event for event in event if failed[0]["id"] in event["jobs"])
        states = {delivery.get("state") for delivery in self.admin.get(f"events/{shown['id']}")["deliveries"]}
        self.report.check(None not in states and "failed" in states, "an event shows where its jobs stand", states)
        self.receiver.heal()
        done = self.admin.post("jobs/many", {"action": "retry", "ids": [job["id"] for job in failed]})
        self.report.check(len(done["done"]) == len(failed), "all of them are sent back by one request", done)

    def jobs(self, states, hook):
        return self.admin.pages("jobs", state=states, submitter=f"webhook/{self.hook(hook)}")

    def settle(self):
        """What waits for its next attempt is sent now; then the queue must run empty."""
        started = time.monotonic()

        def empty():
            later = [job["id"] for job in self.admin.get("jobs", state="later", limit=999)["items"]]
            if later:
                self.admin.post("jobs/many", {"action": "retry", "ids": later})
            return not self.admin.get("jobs", state="ready,later,waiting,claimed", limit=1)["items"]

        try:
            wait_for(120 + FILES / 50, "the queue to run empty", empty, every=0.5)
            self.report.check(True, f"the queue runs empty ({time.monotonic() - started:.1f} s)")
        except Stop as error:
            left = self.admin.get("jobs/counts", by="state,kind")["items"]
            self.report.violation(f"{error}; left: {left}")
