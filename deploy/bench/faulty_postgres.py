"""A PostgreSQL whose clock can be stepped while it runs, and that can be stopped, frozen and cut off."""

import glob
import os
import signal
import time

from errors import Stop
from processes import children, stop
from servers import Postgres


def library():
    found = sorted(glob.glob("/usr/lib/*/faketime/libfaketime.so.1"))
    if not found:
        raise Stop("libfaketime is not installed: deploy/scripts/dependencies.sh bench installs it")
    return found[-1]


class FaultyPostgres(Postgres):
    """Every process of it reads its wall clock through libfaketime; its steady clock is left alone."""

    def __init__(self, folder, cores=None):
        super().__init__(folder, cores)
        self.clock = f"{folder}.clock"
        self.frozen = []
        self.wrapper = (
            "env", f"LD_PRELOAD={library()}", f"FAKETIME_TIMESTAMP_FILE={self.clock}", "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1")

    def start(self):
        self.write_clock(0)
        super().start()

    def step(self, offset):
        """Sets the clock to `offset` seconds from the machine's, and makes sure that the server sees it."""
        self.write_clock(offset)
        found = float(self.sql("select extract(epoch from clock_timestamp())")[0][0]) - time.time()
        if abs(found - offset) > 2:
            raise Stop(f"the database's clock is {found:.1f} s off and not {offset}: libfaketime does not work here")

    def write_clock(self, offset):
        # Renamed: a process that reads half a number would see another step.
        with open(f"{self.clock}.new", "w", encoding="ascii") as file:
            file.write(f"{offset:+d}\n")
        os.chmod(f"{self.clock}.new", 0o644)
        os.replace(f"{self.clock}.new", self.clock)

    def restart(self, seconds, clock=None):
        """Stops the server as `pg_ctl stop -m fast` does, and starts it again after a while, with another clock."""
        if not stop(self.process, signal.SIGINT, 30, self.name):
            raise Stop("PostgreSQL did not stop")
        if clock is not None:
            self.write_clock(clock)
        time.sleep(seconds)
        self.serve()

    def freeze(self, seconds, clock=None):
        """Pauses the server and all its backends: connections stay open, and nobody answers."""
        try:
            os.kill(self.process.pid, signal.SIGSTOP)
            self.frozen.append(self.process.pid)
            for pid in map(int, children(self.process.pid)):
                try:
                    os.kill(pid, signal.SIGSTOP)
                    self.frozen.append(pid)
                except ProcessLookupError:
                    continue  # It ended meanwhile.
            if clock is not None:
                self.write_clock(clock)
            time.sleep(seconds)
        finally:
            self.thaw()

    def thaw(self):
        # The postmaster last: it has to find its children as they were.
        while self.frozen:
            try:
                os.kill(self.frozen.pop(), signal.SIGCONT)
            except ProcessLookupError:
                continue

    def cut(self, database):
        """Ends every connection to a database, all at once."""
        self.sql(f"""select count(pg_terminate_backend(pid)) from pg_stat_activity
                     where datname = '{database}' and pid <> pg_backend_pid()""")

    def stop(self):
        self.thaw()
        super().stop()
