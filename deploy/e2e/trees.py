"""Trees of real files: which files go in, and their digests."""

import concurrent.futures
import hashlib
import os
import shutil

from report import Stop

SUBSET_BYTES = 200_000_000
BIG_FILE = 60_000_000
SMALL_FILE = 16_000_000


class Item:
    """One file: where it is here, its name in the account, its size and digest."""

    def __init__(self, source, name, size):
        self.source = source
        self.name = name
        self.size = size
        self.sha256 = None
        self.node = None  # who took it


class Tree:
    def __init__(self, root, items, links):
        self.root = root
        self.items = items
        self.links = links

    @property
    def bytes(self):
        return sum(item.size for item in self.items)

    def describe(self):
        largest = max((item.size for item in self.items), default=0)
        return (
            f"{len(self.items)} files, {self.bytes / 1e6:.0f} MB, the largest {largest / 1e6:.0f} MB, "
            f"from {self.root} ({self.links} links skipped)"
        )


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return sha.hexdigest()


def toolchain():
    """The folder of the Swift toolchain that is on the PATH."""
    swift = shutil.which("swift")
    if not swift:
        raise Stop("no swift on the PATH: name a folder with E2E_TREE=/some/folder")
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(swift))))


def gather(root):
    """Every ordinary file below `root` in the order of its path, and how many links there were."""
    items, links = [], 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        links += sum(os.path.islink(os.path.join(folder, name)) for name in folders)
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.islink(path):
                links += 1
            elif os.path.isfile(path):
                items.append(Item(path, os.path.relpath(path, root), os.path.getsize(path)))
    return items, links


def subset(items, limit=SUBSET_BYTES):
    """About `limit` bytes, the same each time: one big file, then small ones by the digests of their names."""
    big = sorted((item for item in items if item.size >= BIG_FILE), key=lambda item: (item.size, item.name))[:1]
    small = [item for item in items if item.size < SMALL_FILE]
    small.sort(key=lambda item: hashlib.sha256(os.fsencode(item.name)).digest())
    chosen, total = list(big), sum(item.size for item in big)
    for item in small:
        if total + item.size <= limit:
            chosen.append(item)
            total += item.size
    return chosen


def choose(wish):
    """`wish`: full (the toolchain), subset (about 200 MB of it), or a folder."""
    root = toolchain() if wish in ("full", "subset") else wish
    if not os.path.isdir(root):
        raise Stop(f"E2E_TREE={wish} is no folder")
    items, links = gather(root)
    if wish == "subset":
        items = subset(items)
    if not items:
        raise Stop(f"no files in {root}")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for item, sha256 in zip(items, pool.map(lambda item: digest(item.source), items)):
            item.sha256 = sha256
    return Tree(root, items, links)
