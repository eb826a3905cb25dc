"""A look into the cluster's own database, with psql and as the user that runs the cluster."""

import os
import subprocess

from report import Stop


class Database:
    def __init__(self, cluster):
        address = cluster.options("--database-url")[1]
        self.address = address
        socket = dict(word.split("=", 1) for word in address.split())["host"]
        self.owner = os.stat(socket).st_uid
        postmaster = cluster.row("postgres")["pid"]
        self.psql = os.path.join(os.path.dirname(os.readlink(f"/proc/{postmaster}/exe")), "psql")

    def rows(self, statement):
        """What a statement answers, as lists of texts. Raises OSError when the database is not there."""
        user = {} if os.geteuid() == self.owner else {"user": self.owner, "group": self.owner, "extra_groups": []}
        done = subprocess.run(
            [self.psql, "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.address],
            capture_output=True, text=True, timeout=20, check=False, cwd="/", **user)
        if done.returncode == 2:
            raise OSError(done.stderr.strip())
        if done.returncode:
            raise Stop(f"{statement}: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def number(self, statement):
        return int(self.rows(statement)[0][0])

    def view_version(self):
        return self.number("select view_version from flotilla.cluster")

    def deaths(self, since):
        """The deaths of the views after `since`: name and reason."""
        return [tuple(row) for row in self.rows(
            "select name, reason from flotilla.view_history "
            f"where view_version > {since} and reason <> 'joined' order by view_version")]

    def died(self, since):
        """Who was declared dead after the view `since`: name, reason, and when, by the real clock."""
        return [(name, reason, float(at)) for name, reason, at in self.rows(
            "select v.name, v.reason, extract(epoch from v.at) from flotilla.view_history v "
            f"where v.view_version > {since} and v.reason not in ('joined', 'pruned', 'left') and exists "
            "(select from flotilla.departed d where d.incarnation = v.incarnation and d.reason = v.reason)")]

    def leftovers(self):
        """What must all be nothing once the cluster is calm."""
        counts = self.rows("""
            select (select count(*) from flotilla.name),
                   (select count(*) from flotilla.departed where swept_at is null),
                   (select coalesce(sum(cardinality(busy)), 0) from flotilla.home),
                   (select count(*) from flotilla.transfer where status = 'running')""")[0]
        kinds = ("unfinished names", "departures to clear", "marked folders", "running transfers")
        return {kind: int(count) for kind, count in zip(kinds, counts) if int(count)}
