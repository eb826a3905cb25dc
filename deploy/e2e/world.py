"""What every part needs: the cluster, an account's files, its home, the database, and a source of randomness."""

import os
import random
import time

import checks
from database import Database
from report import Stop, wait_for


class World:
    def __init__(self, cluster, tree, files, admin, report, seed):
        self.cluster = cluster
        self.tree = tree
        self.files = files
        self.admin = admin
        self.report = report
        self.seed = seed
        self.lots = random.Random(seed)
        self.home = os.path.join(cluster.mount, "homes", files.account)
        self.database = Database(cluster)
        self.ports = {name: row["files_port"] for name, row in cluster.workers().items()}

    def direct(self, number):
        """A worker's own address, whether it runs now or not."""
        return f"http://127.0.0.1:{self.ports[f'worker-{number}']}"

    def incarnations(self):
        return {name: node["incarnation"] for name, node in checks.nodes_by_name(self.admin).items()}

    def calm(self, seconds=30, staging=30):
        """All workers are back, and nothing of what was under way is left; in staging after so many seconds."""
        try:
            self.cluster.wait(len(self.ports), 60)
        except Stop as error:
            self.report.violation(str(error))
            return
        started = time.monotonic()
        left = {}

        def settled():
            nonlocal left
            left = self.database.leftovers()
            return not left

        try:
            wait_for(seconds, "unfinished things to be cleared", settled)
            self.report.check(True, "no unfinished name, departure, folder mark or running transfer is left "
                              f"({time.monotonic() - started:.1f} s)")
        except Stop:
            self.report.violation(f"left after {seconds} s: {left}")
        checks.staging_is_empty(self.cluster.mount, self.report, staging)
