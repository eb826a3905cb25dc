"""Processes that go on running and tell what happens to them, a line an event; they are killed and paused here."""

import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

from errors import Stop


@dataclass(frozen=True)
class Said:
    speaker: str
    # Which start of that speaker said it; a line of a killed one may come late.
    start: int
    # When the line was read, by the clock of time.monotonic_ns().
    read_at: int
    words: tuple


class Speaker:
    """A child that is started as often as needed; only its own processes are ever signalled."""

    def __init__(self, name, arguments, log, lines, environment=None):
        self.name = name
        self.arguments = arguments
        self.log = log
        self.lines = lines
        self.environment = environment
        self.process = None
        self.starts = 0

    def start(self):
        self.starts += 1
        with open(self.log, "ab") as log:
            # Killed when we die, even while it is stopped.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.arguments], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                env={**os.environ, **(self.environment or {})})
        threading.Thread(target=self.read, args=(self.process, self.starts), daemon=True).start()

    def read(self, process, start):
        for line in process.stdout:
            words = tuple(line.decode(errors="replace").split())
            if words:
                self.lines.put(Said(self.name, start, time.monotonic_ns(), words))

    def order(self, text):
        self.process.stdin.write(f"{text}\n".encode())
        self.process.stdin.flush()

    def signal(self, number):
        """Sends it; answers the moment before, in nanoseconds of time.monotonic_ns()."""
        if self.process.poll() is not None:
            raise Stop(f"{self.name} ended by itself with {self.process.returncode}: {last_words(self.log)}")
        moment = time.monotonic_ns()
        os.kill(self.process.pid, number)
        return moment

    def bury(self):
        """Ends it if it still runs, and waits for its end."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()


class Lines:
    """What a group of speakers says, in the order in which it was read."""

    def __init__(self):
        self.queue = queue.Queue()

    def put(self, said):
        self.queue.put(said)

    def take(self, seconds):
        """The next one, or None when nobody says anything for so long."""
        try:
            return self.queue.get(timeout=max(0, seconds))
        except queue.Empty:
            return None

    def until(self, what, seconds, hear, done):
        """Lets `hear` have each line until `done` is true; raises Stop when that takes longer than `seconds`."""
        end = time.monotonic() + seconds
        while not done():
            said = self.take(min(0.5, end - time.monotonic()))
            if said is not None:
                hear(said)
            elif time.monotonic() > end:
                raise Stop(f"{what} did not happen within {seconds} s")


def last_words(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return " | ".join(log.read().strip().splitlines()[-3:])
    except OSError:
        return "it left no log"


def pause(speakers):
    return [speaker.signal(signal.SIGSTOP) for speaker in speakers]


def wake(speakers):
    for speaker in speakers:
        speaker.signal(signal.SIGCONT)
