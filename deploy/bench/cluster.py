"""A cluster of real nodes without doors (`flotilla-benchmarks cluster-node`), and what its nodes say of themselves."""

import os
import time
from collections import Counter

from errors import Stop
from speakers import Lines, Speaker, last_words

NODES = 5
# All nodes want all of them; one node has them at a time, or some share them.
LEASES = 20
# An accuser's chain must be unbroken for the slow window of 5 s.
FULL_CHAIN = 5.2


class Cluster:
    """Started and stopped by `with`; one database and one folder of files of its own."""

    def __init__(self, bench, server, name):
        self.server = server
        self.name = name
        self.lines = Lines()
        # Subject to the node that was granted it last, the epoch, and when, in nanoseconds.
        self.holders = {}
        self.incarnations = {}
        self.left = []
        self.committed = []
        mount = os.path.join(bench.folder, f"{name}-mount")
        os.makedirs(mount, exist_ok=True)
        self.nodes = {}
        for number in range(1, NODES + 1):
            node = f"node-{number}"
            arguments = [bench.program, "cluster-node", "--database", server.to(name), "--mount", mount,
                         "--name", node, "--leases", str(LEASES)]
            log = os.path.join(bench.folder, f"{name}-{node}.log")
            self.nodes[node] = Speaker(node, arguments, log, self.lines)

    def __enter__(self):
        self.server.sql(f"create database {self.name}")
        try:
            for node in self.nodes:
                self.start(node)
            self.until("the start of all nodes", 30, lambda: len(self.incarnations) == NODES)
            self.until("the first claims", 30, lambda: len(self.holders) == LEASES)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.bury()

    def last_words(self):
        return "; ".join(f"{name}: {last_words(node.log)}" for name, node in self.nodes.items())

    # MARK: what the nodes say

    def start(self, node):
        self.incarnations.pop(node, None)
        self.nodes[node].start()

    def hear(self, said):
        node, (moment, event, *rest) = said.speaker, said.words
        if said.start != self.nodes[node].starts:
            return  # A killed node's last words.
        if event == "joined":
            self.incarnations[node] = int(rest[0])
        elif event == "left":
            self.left.append((node, int(rest[0])))
        elif event == "granted":
            subject, epoch = rest[0], int(rest[1])
            # Two nodes' lines may be read in the wrong order; epochs tell.
            if subject not in self.holders or self.holders[subject][1] < epoch:
                self.holders[subject] = (node, epoch, int(moment))
        elif event == "committed":
            self.committed.append((node, rest[0], int(rest[1]), rest[2]))

    def until(self, what, seconds, done):
        try:
            self.lines.until(what, seconds, self.hear, done)
        except Stop as stop:
            raise Stop(f"{stop}: {self.last_words()}") from None

    def hear_all(self):
        while (said := self.lines.take(0)) is not None:
            self.hear(said)

    def listen(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            said = self.lines.take(left)
            if said is not None:
                self.hear(said)

    # MARK: what is asked of them

    def biggest_holder(self):
        """The node with most leases, and what it has."""
        self.hear_all()
        counted = Counter(holder[0] for holder in self.holders.values())
        victim = counted.most_common(1)[0][0]
        return victim, {subject for subject, holder in self.holders.items() if holder[0] == victim}

    def claimed_elsewhere(self, victim, held, since, seconds=30):
        """When the first and the last of the victim's leases were granted to others, in ms after `since`."""
        def moved():
            return [self.holders[subject][2] for subject in held if self.holders[subject][0] != victim]

        self.until(f"the claim of what {victim} held", seconds, lambda: len(moved()) == len(held))
        return (min(moved()) - since) / 1e6, (max(moved()) - since) / 1e6

    def settle(self, seconds=60):
        """Waits until all nodes live with full chains and nothing of the departed is left."""
        end = time.monotonic() + seconds
        while not self.is_settled():
            if time.monotonic() > end:
                raise Stop(f"the cluster did not come to rest within {seconds} s: {self.last_words()}")
            self.listen(0.25)

    def is_settled(self):
        found = self.sql(f"""
            select (select count(*) from flotilla.member
                    where status <> 'dead' and hb_at > clock_timestamp() - interval '0.5 s'
                      and hb_at <= clock_timestamp()
                      and up_since <= clock_timestamp() - interval '{FULL_CHAIN} s') = {NODES}
               and not exists (select from flotilla.departed where swept_at is null)
               and (select count(*) from flotilla.lease) = {LEASES}""")
        return found == [["t"]]

    def sql(self, statement):
        return self.server.sql(statement, database=self.name)
