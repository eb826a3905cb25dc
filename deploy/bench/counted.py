"""A PostgreSQL that counts what it does, and what it had done between two looks."""

import os
import time

from errors import Stop
from processes import children
from servers import POSTGRES_SETTINGS, Postgres


class CountingPostgres(Postgres):
    """Stock, autovacuum and checkpoints included; only the counters and the connections are set.

    What an idle cluster costs is what it costs in service, so nothing is kept away from the measurement here.
    """

    settings = {
        "shared_preload_libraries": "pg_stat_statements",
        "pg_stat_statements.track": "top",
        # The order of commits can be asked for afterwards.
        "track_commit_timestamp": "on",
        "shared_buffers": POSTGRES_SETTINGS["shared_buffers"],
        "max_wal_size": POSTGRES_SETTINGS["max_wal_size"],
        "max_connections": POSTGRES_SETTINGS["max_connections"],
    }

    def start(self):
        super().start()
        self.sql("CREATE EXTENSION pg_stat_statements")

    def database(self, name):
        """The connection string of a new database."""
        self.sql(f"CREATE DATABASE {name}")
        return self.connection.replace("dbname=postgres", f"dbname={name}")

    def inside(self, database, *statements):
        """Runs statements in another database; answers their rows."""
        return self.sql(f"\\connect {database}", *statements)

    def look(self, database=None):
        """What was done until now in a database; in all, by the server's own processes too, unless one is named."""
        # Asking costs the server a session; those of other databases are not counted, and this one is gone next time.
        where = f"d.datname = '{database}'" if database else "d.datname <> current_database()"
        rows = self.sql(f"""
            SELECT coalesce(sum(s.calls), 0), coalesce(sum(s.total_exec_time), 0) * 1000, coalesce(sum(s.wal_bytes), 0)
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE {where}""", """
            SELECT pg_current_wal_insert_lsn() - '0/0'""", f"""
            SELECT a.pid FROM pg_stat_activity a WHERE a.datname = '{database or "-"}'""")
        calls, microseconds, wal = (float(value) for value in rows[0])
        if database:
            pids = [row[0] for row in rows[2:]]
        else:
            wal = float(rows[1][0])
            pids = [str(self.process.pid), *children(self.process.pid)]
        return Look(time.monotonic(), calls, microseconds, wal, {pid: cpu_seconds(pid) for pid in pids})

    def most_frequent(self, count=8):
        """The statements that were run most often since the start, for whoever wants to know what costs."""
        return self.sql(f"""
            SELECT s.calls, round(s.total_exec_time::numeric, 1), s.wal_bytes, s.wal_records,
                   left(regexp_replace(s.query, '\\s+', ' ', 'g'), 100)
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname <> current_database()
            ORDER BY s.calls DESC LIMIT {count}""")

    def forget(self):
        self.sql("SELECT pg_stat_statements_reset()")


class Look:
    """A moment; `cpu` is by process."""

    def __init__(self, at, calls, microseconds, wal, cpu):
        self.at = at
        self.calls = calls
        self.microseconds = microseconds
        self.wal = wal
        self.cpu = cpu

    def since(self, before):
        """Rates a second: statements, WAL bytes, microseconds of execution and of the server's CPU.

        A process that ended meanwhile takes its time along: short ones are counted too low.
        """
        seconds = self.at - before.at
        if seconds <= 0 or self.calls < before.calls:
            raise Stop("the server's counters went back: was pg_stat_statements reset?")
        cpu = sum(max(0, used - before.cpu.get(pid, 0)) for pid, used in self.cpu.items())
        return {
            "statements": (self.calls - before.calls) / seconds,
            "wal_bytes": (self.wal - before.wal) / seconds,
            "exec_us": (self.microseconds - before.microseconds) / seconds,
            "server_cpu_us": cpu * 1e6 / seconds,
        }


def cpu_seconds(pid):
    """CPU time of one process in nanosecond steps: an idle server uses less than a tick. 0 when it is gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return sum(int(read(f"/proc/{pid}/task/{task}/schedstat").split()[0]) for task in tasks) / 1e9
    except OSError:
        return 0


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()
