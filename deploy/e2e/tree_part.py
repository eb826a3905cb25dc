"""A tree goes in through the balancer while workers are killed and paused, and comes back out through other workers."""

import concurrent.futures
import os
import random
import signal
import threading
import time

import checks
from report import Stop, wait_for
from trees import digest
from watch import Watch

PARALLEL = 8
# The load lasts at least this long, so that faults hit uploads that are under way.
LOAD_SECONDS = 24
PAUSE_SECONDS = 10


class Progress:
    """How much of the tree was acknowledged; a fault waits for its share."""

    def __init__(self, total):
        self.total = total
        self.acknowledged = 0
        self.over = False
        self.changed = threading.Condition()

    def add(self, size):
        with self.changed:
            self.acknowledged += size
            self.changed.notify_all()

    def finish(self):
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def reached(self, share, seconds=1200):
        with self.changed:
            self.changed.wait_for(lambda: self.over or self.acknowledged >= share * self.total, seconds)
            return not self.over


def put_tree(tree, files, report, progress):
    """Puts every file; curl's own retries must be enough. The share of each curl is limited, so that the load lasts."""
    share = max(int(tree.bytes / PARALLEL / LOAD_SECONDS), 100_000)
    retried = []

    def put(item):
        answer = files.put(item.source, item.name, rate=max(share, item.size // LOAD_SECONDS))
        if answer.status not in (200, 201):
            report.violation(f"put {item.name}: {answer}")
        elif (answer.json.get("size"), answer.json.get("sha256")) != (item.size, item.sha256):
            report.violation(f"put {item.name}: answered {answer.body[:200]}, sent {item.size} {item.sha256}")
        if answer.tries > 1:
            retried.append(item.name)
        item.transfer = answer.json.get("transfer_id")
        progress.add(item.size)

    started = time.monotonic()
    # A fixed shuffle spreads big ones over the load; the biggest goes first, so that nobody waits for it at the end.
    order = list(tree.items)
    random.Random(2).shuffle(order)
    biggest = max(order, key=lambda item: item.size)
    order.sort(key=lambda item: item is not biggest)
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(put, order))
    progress.finish()
    seconds = time.monotonic() - started
    report.say(f"put {len(tree.items)} files in {seconds:.1f} s ({tree.bytes / 1e6 / seconds:.0f} MB/s, limited to "
               f"{share * PARALLEL / 1e6:.0f}); {len(retried)} were retried by curl")


def get_tree(tree, files_for, report, scratch):
    """Fetches every file from where `files_for` says and compares digests."""

    def get(item):
        into = os.path.join(scratch, f"fetched-{item.sha256}-{id(item)}")
        answer = files_for(item).get(item.name, into)
        if answer.status != 200:
            report.violation(f"get {item.name}: {answer}")
        elif digest(into) != item.sha256:
            report.violation(f"get {item.name}: {os.path.getsize(into)} bytes of another digest than was sent")
        if os.path.exists(into):
            os.unlink(into)

    before = len(report.violations)
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(get, tree.items))
    seconds = time.monotonic() - started
    report.check(len(report.violations) == before, f"{len(tree.items)} files came back with equal digests "
                 f"({seconds:.1f} s, {tree.bytes / 1e6 / seconds:.0f} MB/s)")


def faults(cluster, progress, report, chosen):
    """Kills one worker and pauses another while files are under way."""
    ready = cluster.ready()
    killed, paused = chosen
    if not progress.reached(0.15):
        report.violation("the load was over before a worker was killed: use more files")
        return
    os.kill(ready[killed]["pid"], signal.SIGKILL)
    report.say(f"killed {killed} (-9) at {progress.acknowledged / progress.total:.0%} of the bytes")
    if not progress.reached(0.45):
        report.violation("the load was over before a worker was paused: use more files")
        return
    pid = ready[paused]["pid"]
    os.kill(pid, signal.SIGSTOP)
    report.say(f"paused {paused} at {progress.acknowledged / progress.total:.0%} of the bytes")
    time.sleep(PAUSE_SECONDS)
    os.kill(pid, signal.SIGCONT)
    report.say(f"woke {paused} after {PAUSE_SECONDS} s, at {progress.acknowledged / progress.total:.0%}")


def run_cluster(cluster, tree, files, admin, home, report, seed):
    before = checks.nodes_by_name(admin)
    report.check(len(before) == 5, "five nodes are listed", sorted(before))
    chosen = random.Random(seed).sample(sorted(before), 2)
    progress = Progress(tree.bytes)
    with Watch(home, {item.name: {item.sha256: item.size} for item in tree.items}, report) as watch:
        thread = threading.Thread(target=faults, args=(cluster, progress, report, chosen))
        thread.start()
        put_tree(tree, files, report, progress)
        thread.join()
    report.say(f"the reader of the mount walked {watch.walks} times and read {watch.read} files")
    report.check(watch.read >= len(tree.items), "the reader of the mount saw every file", watch.read)

    after = come_back(cluster, admin, before, chosen, report)
    report.check(len(after) == 5 and set(after) == set(before), "the same five nodes are listed", sorted(after))
    uploads = checks.log_agrees_with_disk(admin, files.account, home, [item.name for item in tree.items], report)
    from_other_workers(cluster, tree, files, uploads, report)
    checks.staging_is_empty(cluster.mount, report)


def come_back(cluster, admin, before, chosen, report):
    """The killed and the paused worker are members again, each as a new incarnation; the others never left."""

    def returned():
        nodes = checks.nodes_by_name(admin)
        old = {name: node["incarnation"] for name, node in before.items()}
        new = {name: node["incarnation"] for name, node in nodes.items() if node["status"] == "active"}
        return nodes if set(new) == set(old) and all(new[name] > old[name] for name in chosen) else None

    try:
        after = wait_for(45, f"{' and '.join(chosen)} to be back with higher incarnations", returned)
        cluster.wait(5, 30)
    except Stop as error:
        report.violation(str(error))
        return checks.nodes_by_name(admin)
    report.check(True, f"{' and '.join(chosen)} came back with higher incarnations")
    same = [n for n in before if n not in chosen and before[n]["incarnation"] != after[n]["incarnation"]]
    report.check(not same, "the nodes without a fault kept their incarnations", same)
    return after


def from_other_workers(cluster, tree, files, uploads, report):
    """Each file from a worker that did not take it; without that knowledge, from each in turn."""
    names = sorted(cluster.ready())
    direct = {name: files.at(cluster.direct(name)) for name in names}
    takers = {name: transfers[-1].get("node") for name, transfers in uploads.items()}
    report.say(f"taken by: { {n: list(takers.values()).count(n) for n in sorted(set(map(str, takers.values())))} }")
    place = {item.name: index for index, item in enumerate(tree.items)}

    def other(item):
        others = [name for name in names if name != takers.get(item.name)]
        return direct[others[place[item.name] % len(others)]]

    get_tree(tree, other, report, files.scratch)


def run_standalone(node, tree, files, admin, home, report):
    """The same tree into one node, which is killed half way and started again; curl's retries carry on."""
    progress = Progress(tree.bytes)

    def crash():
        if not progress.reached(0.4):
            report.violation("the load was over before the node was killed: use more files")
            return
        node.kill()
        report.say("killed the standalone node (-9), and started it again")
        started = time.monotonic()
        node.start()
        report.say(f"it was ready after {time.monotonic() - started:.1f} s")

    with Watch(home, {item.name: {item.sha256: item.size} for item in tree.items}, report):
        thread = threading.Thread(target=crash)
        thread.start()
        put_tree(tree, files, report, progress)
        thread.join()
    checks.log_agrees_with_disk(admin, files.account, home, [item.name for item in tree.items], report)
    get_tree(tree, lambda item: files, report, files.scratch)
    checks.staging_is_empty(node.mount, report)
