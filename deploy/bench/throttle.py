"""Less processor time for a process: a cgroup of its own with a quota (cgroup v1, as root)."""

import os

from errors import Stop

ROOT = "/sys/fs/cgroup/cpu"


class Throttle:
    """Holds one process, with all its threads, to a share of one core."""

    def __init__(self, name, pid):
        self.folder = os.path.join(ROOT, f"flotilla-bench-{os.getpid()}-{name}")
        if not os.path.exists(os.path.join(ROOT, "cpu.cfs_quota_us")):
            raise Stop(f"{ROOT} has no quotas: this needs cgroup v1 with its cpu controller")
        try:
            os.makedirs(self.folder, exist_ok=True)
            self.write("cgroup.procs", pid)
        except OSError as error:
            raise Stop(f"no cgroup of our own at {self.folder}, which needs root: {error}") from None

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(str(value))

    def allow(self, quota_us, period_us):
        """That much of each period; both in microseconds, the kernel takes 1,000 and more."""
        self.write("cpu.cfs_quota_us", -1)
        self.write("cpu.cfs_period_us", period_us)
        self.write("cpu.cfs_quota_us", quota_us)

    def end(self):
        """The process goes back among the others."""
        try:
            with open(os.path.join(self.folder, "cgroup.procs"), encoding="ascii") as file:
                for pid in file.read().split():
                    with open(os.path.join(ROOT, "cgroup.procs"), "w", encoding="ascii") as root:
                        root.write(pid)
            os.rmdir(self.folder)
        except OSError:
            pass
