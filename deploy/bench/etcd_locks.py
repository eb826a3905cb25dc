"""etcd's own client holding a lock by a session: five of them want it, and the holder is killed."""

import os
import random
import signal
import time

from errors import Stop
from etcd import Etcd
from processes import run
from servers import need
from speakers import Lines, Speaker

CLIENTS = 5
LOCK = "work"


class QuickEtcd(Etcd):
    """With an election timeout of 100 ms, for which it grants sessions of a second.

    With its stock one of a second, it grants none that are shorter than 2 s, whatever is asked for.
    """

    options = ("--heartbeat-interval", "10", "--election-timeout", "100")


class Locks:
    """`etcdctl lock` in five processes; each prints the lock's key when it has it."""

    def __init__(self, bench, server, name):
        self.server = server
        self.lines = Lines()
        self.environment = {"ETCDCTL_API": "3"}
        arguments = [need("etcdctl"), "--endpoints", f"127.0.0.1:{server.port}", "lock", "--ttl", "1", LOCK]
        self.clients = {}
        for number in range(1, CLIENTS + 1):
            client = f"{name}-client-{number}"
            log = os.path.join(bench.folder, f"{client}.log")
            self.clients[client] = Speaker(client, arguments, log, self.lines, self.environment)
        self.holder = None
        self.held_at = None

    def __enter__(self):
        for client in self.clients.values():
            client.start()
        self.lines.until("the first lock of etcd", 30, self.hear, lambda: self.holder is not None)
        return self

    def __exit__(self, *_):
        for client in self.clients.values():
            client.bury()

    def hear(self, said):
        if said.start == self.clients[said.speaker].starts and said.words[0].startswith(f"{LOCK}/"):
            self.holder, self.held_at = said.speaker, said.read_at

    def kill(self):
        """Kills the holder; answers after how many ms another client had the lock."""
        self.queued()
        # Anywhere between two keep-alives.
        time.sleep(random.uniform(0, 1))
        victim = self.holder
        since = self.clients[victim].signal(signal.SIGKILL)
        self.lines.until("the lock of a killed client", 60, self.hear, lambda: self.holder != victim)
        took = (self.held_at - since) / 1e6
        self.clients[victim].bury()
        self.clients[victim].start()
        return took

    def queued(self, seconds=30):
        """Waits until each client has its place in the line."""
        end = time.monotonic() + seconds
        while True:
            keys = self.ask("get", f"{LOCK}/", "--prefix", "--keys-only").split()
            if len(keys) == CLIENTS:
                return
            if time.monotonic() > end:
                raise Stop(f"{len(keys)} of {CLIENTS} clients of etcd wait for the lock after {seconds} s")
            time.sleep(0.1)

    def granted_ttl(self):
        """What a session gets that asks for a second; in seconds."""
        return int(self.ask("lease", "grant", "1").split("TTL(")[1].split("s)")[0])

    def ask(self, *words):
        return run([need("etcdctl"), "--endpoints", f"127.0.0.1:{self.server.port}", *words],
                   f"etcdctl {words[0]}", 30, environment=self.environment).output
