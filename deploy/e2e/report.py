"""What the run says: timed steps, facts, and every violation found; the exit code follows from the violations."""

import sys
import threading
import time


class Report:
    """Collects violations from all threads; prints as it goes, so that a run that hangs shows where."""

    SHOWN = 40

    def __init__(self):
        self.started = time.monotonic()
        self.violations = []
        self.checks = 0
        self.lock = threading.Lock()

    def say(self, text):
        print(f"[{time.monotonic() - self.started:7.1f} s] {text}", flush=True)

    def violation(self, text):
        with self.lock:
            self.violations.append(text)
            shown = len(self.violations) <= self.SHOWN
        if shown:
            self.say(f"VIOLATION: {text}")

    def check(self, holds, text, detail=""):
        """One named check of the whole run; says so when it holds, too."""
        with self.lock:
            self.checks += 1
        if holds:
            self.say(f"ok: {text}")
        else:
            self.violation(f"{text}{': ' + str(detail) if detail else ''}")
        return bool(holds)

    def finish(self):
        seconds = time.monotonic() - self.started
        if self.violations:
            print(f"e2e: FAILED, {len(self.violations)} violations in {seconds:.0f} s:", flush=True)
            for text in self.violations[: self.SHOWN]:
                print(f"  - {text}", flush=True)
            return 1
        print(f"e2e: all {self.checks} checks hold ({seconds:.0f} s)", flush=True)
        return 0


class Stop(Exception):
    """The run cannot go on: a server did not start, a tool is missing."""


def wait_for(seconds, what, condition, every=0.2):
    """Polls `condition` until it answers something true; what it answered. Raises Stop when time is up."""
    end = time.monotonic() + seconds
    problem = None
    while True:
        try:
            answer = condition()
            if answer:
                return answer
        except (OSError, ValueError, KeyError) as error:
            problem = error
        if time.monotonic() >= end:
            raise Stop(f"waited {seconds} s in vain for {what}" + (f" ({problem})" if problem else ""))
        time.sleep(every)


def fail(text):
    print(f"error: {text}", file=sys.stderr, flush=True)
    sys.exit(2)
