"""Judges a history of puts, removals and gets that clients wrote down, knowing nothing of how the cluster works.

Each name is a register. A change has a content of its own (a removal's is None), a start, and an end: the moment at
which the client was told that it is done. Without an answer, or with a refusal, it may take effect at any later time or
never. A get has a start, an end and the content that came.

What may not be (conditions that every linearizable register keeps, each by itself enough to convict):
  invented   a content that nobody sent
  future     a content whose change began after the get had ended
  stale      a content that another change, acknowledged before the get began, had replaced: that change began after the
             content's own change had ended
  backwards  a get that ends before another begins, and the later one shows a content that is stale to the earlier one's
"""

import bisect
import dataclasses
import math


@dataclasses.dataclass
class Change:
    name: str
    content: str | None
    start: float
    end: float = math.inf  # Told that it is done; inf: never told.

    @property
    def acknowledged(self):
        return self.end < math.inf


@dataclasses.dataclass
class Get:
    name: str
    content: str | None
    start: float
    end: float


def judge(changes, gets):
    """The sentences about everything that is wrong; an empty list when nothing is."""
    faults = []
    for name in sorted({get.name for get in gets} | {change.name for change in changes}):
        faults += judge_name(
            name, [change for change in changes if change.name == name], [get for get in gets if get.name == name])
    return faults


class Latest:
    """Of pairs (end, item): the item with the latest start among those that ended before a moment."""

    def __init__(self, pairs):
        self.ends, self.best = [], []
        for end, item in sorted(pairs, key=lambda pair: pair[0]):
            self.ends.append(end)
            self.best.append(item if not self.best or item.start > self.best[-1].start else self.best[-1])

    def before(self, moment):
        place = bisect.bisect_left(self.ends, moment)
        return self.best[place - 1] if place else None


def judge_name(name, changes, gets):
    # Before everything nothing was there.
    changes = [Change(name, None, -math.inf, -math.inf), *changes]
    sources = {}
    for change in changes:
        sources.setdefault(change.content, []).append(change)
    acknowledged = Latest((change.end, change) for change in changes if change.acknowledged)
    faults = []
    for get in gets:
        found = sources.get(get.content)
        if not found:
            faults.append(f"{name}: invented: a get at {get.start:.2f} showed {get.content}, which nobody sent")
        elif all(change.start > get.end for change in found):
            faults.append(f"{name}: future: a get that ended at {get.end:.2f} showed {get.content}, sent later")
        elif (by := acknowledged.before(get.start)) and all(by.start > change.end for change in found):
            faults.append(f"{name}: stale: a get at {get.start:.2f} showed {get.content}, although {by.content} began "
                          f"at {by.start:.2f} after that had ended, and was acknowledged at {by.end:.2f}")
    return faults + backwards(name, sources, gets)


def backwards(name, sources, gets):
    """What a get showed was done by then: nothing that ended before it began may be shown afterwards."""
    # Removals look alike, so a get that showed nothing says nothing about which.
    shown = Latest((get.end, sources[get.content][0]) for get in gets if len(sources.get(get.content, ())) == 1)
    faults = []
    for get in gets:
        done = shown.before(get.start)
        older = sources.get(get.content, [])
        if done and older and all(change.end < done.start for change in older):
            faults.append(f"{name}: backwards: {done.content} had been shown, then the older {get.content} "
                          f"at {get.start:.2f}")
    return faults


def prove():
    """Histories that are wrong must be found wrong, and right ones right; else the judge is worth nothing."""
    a, b = Change("x", "a", 1, 2), Change("x", "b", 3, 4)
    lost = Change("x", "c", 5)
    gone = Change("x", None, 6, 7)
    right = [
        ([a, b], [Get("x", "a", 2.5, 2.6), Get("x", "b", 5, 6)]), ([a, b], [Get("x", "a", 3.5, 3.6)]),
        ([a, b], [Get("x", "b", 3.5, 3.6)]), ([], [Get("x", None, 1, 2)]), ([a], [Get("x", None, 0, 1)]),
        ([a, b, lost], [Get("x", "b", 8, 9), Get("x", "c", 10, 11)]), ([a, gone], [Get("x", None, 8, 9)]),
        ([a, Change("x", "b", 1.5, 3)], [Get("x", "b", 4, 5), Get("x", "b", 6, 7)]),
    ]
    wrong = {
        "invented": ([a], [Get("x", "z", 3, 4)]), "future": ([a, b], [Get("x", "b", 2.2, 2.4)]),
        "stale": ([a, b], [Get("x", "a", 5, 6)]), "backwards": (
            [a, lost, Change("x", "d", 8)], [Get("x", "c", 8.5, 8.6), Get("x", "a", 9, 10)]),
        "stale ": ([a], [Get("x", None, 3, 4)]), "stale  ": ([a, gone], [Get("x", "a", 8, 9)]),
    }
    for changes, gets in right:
        assert not judge(changes, gets), judge(changes, gets)
    for kind, (changes, gets) in wrong.items():
        found = judge(changes, gets)
        assert found and kind.strip() in found[0], (kind, found)


if __name__ == "__main__":
    prove()
    print("the oracle finds what is wrong and lets pass what is right")
