"""A steady stream of jobs through real members (`flotilla-benchmarks job-steady`), watched from outside."""

import os
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass

from errors import Stop
from speakers import Lines, Speaker, last_words


@dataclass(frozen=True)
class Look:
    """What had been sent, answered, run and ended until a moment, in seconds of time.monotonic()."""

    at: float
    sent: int
    answered: int
    ran: int
    done: int


class Steady:
    """Started and stopped by `with`; its database must be there and empty."""

    def __init__(self, bench, connection, name, rate, redis=None):
        mount = os.path.join(bench.folder, f"{name}-mount")
        os.makedirs(mount, exist_ok=True)
        self.journal = os.path.join(bench.folder, f"{name}.journal")
        self.looks = []
        self.over = None
        self.is_serving = False
        self.lines = Lines()
        arguments = [bench.program, "job-steady", "--database", connection, "--mount", mount, "--journal", self.journal,
                     "--rate", str(rate)]
        if redis is not None:
            arguments += ["--redis", redis.url]
        self.speaker = Speaker(name, arguments, os.path.join(bench.folder, f"{name}.log"), self.lines)

    def __enter__(self):
        self.speaker.start()
        try:
            self.until("the start of the nodes", 60, lambda: self.is_serving)
        except BaseException:
            self.speaker.bury()
            raise
        return self

    def __exit__(self, *_):
        self.speaker.bury()

    def hear(self, said):
        moment, event, *numbers = said.words
        if event == "serving":
            self.is_serving = True
        elif event == "at":
            self.looks.append(Look(int(moment) / 1e9, *map(int, numbers[:4])))
        elif event == "over":
            names = ("sent", "answered", "ran", "done", "given_back", "fenced", "lost")
            self.over = dict(zip(names, map(int, numbers)))

    def until(self, what, seconds, done):
        end = time.monotonic() + seconds
        while not done():
            said = self.lines.take(0.2)
            if said is not None:
                self.hear(said)
                continue
            if self.speaker.process.poll() is not None:
                raise Stop(f"job-steady ended with {self.speaker.process.returncode} before {what}: "
                           f"{last_words(self.speaker.log)}")
            if time.monotonic() > end:
                raise Stop(f"{what} did not happen within {seconds} s: {last_words(self.speaker.log)}")

    def listen(self, seconds):
        end = time.monotonic() + seconds
        self.until(f"the end of {seconds} s", seconds + 30, lambda: time.monotonic() >= end)

    def stop(self):
        """Ends the stream, lets the last jobs end, and answers the numbers of all of it."""
        self.speaker.order("stop")
        self.until("the end of the last job", 180, lambda: self.over is not None)
        return self.over

    # MARK: rates

    def done_at(self, moment):
        """Endings until a moment, between two looks in proportion."""
        place = bisect_left(self.looks, moment, key=lambda look: look.at)
        if place == 0:
            return self.looks[0].done if self.looks else 0
        before = self.looks[place - 1]
        if place == len(self.looks):
            return before.done
        after = self.looks[place]
        return before.done + (moment - before.at) / (after.at - before.at) * (after.done - before.done)

    def unended(self, over, moment):
        """Of all that was enqueued until the stop, what had not ended at a later moment."""
        return max(0, over["answered"] - round(self.done_at(moment)))

    def rate(self, begin, end):
        return (self.done_at(end) - self.done_at(begin)) / (end - begin)

    def recovery(self, fault_end, before, least=0.9, window=1.0, calm=3.0):
        """Seconds from a fault's end until jobs end as fast as before, and do so for `calm` seconds on.

        None when that does not happen in what was heard.
        """
        last = self.looks[-1].at
        step, at = 0.1, fault_end
        while at + window + calm <= last:
            if all(self.rate(at + shift * step, at + shift * step + window) >= least * before
                   for shift in range(int(calm / step) + 1)):
                return at - fault_end
            at += step
        return None

    # MARK: judging

    def faults(self, server, database):
        """What was lost or doubled, by the journal and the tables; an empty list is what is wanted."""
        enqueued, ran = {}, {}
        with open(self.journal, encoding="ascii") as file:
            for line in file:
                words = line.split()
                if not words:
                    continue
                if words[0] == "enqueued":
                    enqueued[int(words[1])] = int(words[2])
                else:
                    ran.setdefault(int(words[1]), []).append(int(words[2]))
        rows = server.sql("select j.id, (j.payload->>'number')::int, o.status, o.epoch from flotilla.job j "
                          "left join flotilla.outcome o on o.job = j.id", database=database)
        ended = {int(job): (int(number), status, int(epoch or 0)) for job, number, status, epoch in rows}
        numbers = [number for number, _, _ in ended.values()]
        found = []

        def note(what, which):
            if which:
                found.append(f"{len(which)} {what}, such as {sorted(which)[:3]}")

        note("jobs answered and not there", [job for job in enqueued.values() if job not in ended])
        note("jobs without an end", [job for job, (_, status, _) in ended.items() if status != "d"])
        twice = [number for number, count in Counter(numbers).items() if count > 1]
        note("submissions that made two jobs", twice)
        note("ends that nobody ran", [job for job, (_, status, epoch) in ended.items()
                                      if status == "d" and epoch not in ran.get(job, [])])
        note("jobs run twice", [job for job, epochs in ran.items() if len(epochs) > 1])
        return found
