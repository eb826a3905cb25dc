"""What must be on a disk after its power was cut, by what clients had been told until then."""

import math
import os

import checks
import oracle
from trees import digest

BLOCK = 64 * 1024


class Look:
    """What lies on a mount now: the visible files' digests, and the segments of uploads."""

    def __init__(self, mount, account):
        home = os.path.join(mount, "homes", account)
        self.files = {os.path.relpath(path, home): digest(path) for path in checks.files_below(home)}
        self.segments = {}
        for path in checks.files_below(os.path.join(mount, ".flotilla", "staging")):
            name = os.path.basename(path)
            if name.startswith("."):
                self.segments.setdefault(name[1:37], []).append(path)


def known_at(changes, moment):
    """The changes that had begun by then; what was acknowledged later was not acknowledged yet."""
    return [oracle.Change(change.name, change.content, change.start, change.end if change.end <= moment else math.inf)
            for change in changes if change.start <= moment]


def examine(mount, account, history, moment):
    """The sentences about everything that is wrong with what is on the mount after a cut at this moment."""
    look = Look(mount, account)
    changes = known_at(history.changes, moment)
    names = {change.name for change in changes} | set(look.files)
    wrong = oracle.judge(changes, [oracle.Get(name, look.files.get(name), moment, moment) for name in sorted(names)])
    begun = {change.name for change in changes}
    removed = {change.name for change in changes if change.content is None}
    for source, target in history.moves:
        # What was moved stands at one of the two names, unless it was moved on or removed.
        if target in begun and target not in removed and (source in look.files) == (target in look.files):
            seen = "both are" if source in look.files else "neither is"
            wrong.append(f"{source} was moved to {target}: {seen} there")
    for upload in history.uploads:
        told = upload.highest(moment)
        if told and look.files.get(upload.name) != upload.change.content and (
                missing := first_missing(upload.content[:told], look.segments.get(upload.id, []))) is not None:
            wrong.append(f"{upload.name}: {told} bytes were told, from {missing} on they are not there")
    return wrong


def first_missing(content, paths):
    """Where the content begins that no segment has at its place; None when all of it is there.

    A taker's segment begins with a hole, and one may end in the middle of a block.
    """
    files = []
    for path in paths:
        with open(path, "rb") as file:
            files.append(file.read(len(content)))
    for start in range(0, len(content), BLOCK):
        piece = content[start:start + BLOCK]
        if any(file[start:start + len(piece)] == piece for file in files):
            continue
        for place, byte in enumerate(piece, start):
            if not any(place < len(file) and file[place] == byte for file in files):
                return place
    return None
