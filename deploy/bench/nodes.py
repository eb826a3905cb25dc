"""Real nodes: `flotilla serve` processes on one database and one mount, stopped by process id."""

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

from errors import Stop
from processes import stop
from servers import free_port


class Nodes:
    """Started together; `with` stops them together."""

    def __init__(self, program, folder, database, count, redis=None):
        self.program = program
        self.folder = folder
        self.database = database
        self.count = count
        self.redis = redis
        self.processes = []
        self.ports = []
        # A node gives up root by itself, but would forget to die with us then.
        self.user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []

    def __enter__(self):
        self.own("mount")
        try:
            for number in range(1, self.count + 1):
                self.start(number)
            for number in range(1, self.count + 1):
                self.wait_until_ready(number, 60)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, number):
        data = self.own(f"node-{number}")
        files, admin = free_port(), free_port()
        arguments = [
            self.program, "serve", "--name", f"node-{number}", "--database-url", self.database,
            "--mount", os.path.join(self.folder, "mount"), "--data", data, "--files-port", str(files),
            "--admin-port", str(admin), "--agent-port", "0", "--bind", "127.0.0.1",
            "--token-file", os.path.join(self.folder, "token")]
        if self.redis is not None:
            arguments += ["--redis-url", self.redis]
        with open(self.log(number), "ab") as log:
            # Killed when we die: nothing may be left behind, however this program ends.
            self.processes.append(subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.user, "--", *arguments], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True))
        self.ports.append(files)

    def own(self, name):
        """A folder for the nodes, in the name of their user."""
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        if self.user:
            for folder in (self.folder, path):
                shutil.chown(folder, "nobody", "nogroup")
        return path

    def log(self, number):
        return os.path.join(self.folder, f"node-{number}.log")

    def wait_until_ready(self, number, seconds):
        end = time.monotonic() + seconds
        process, port = self.processes[number - 1], self.ports[number - 1]
        while not answers(port):
            if process.poll() is not None or time.monotonic() > end:
                with open(self.log(number), encoding="utf-8", errors="replace") as log:
                    last = " | ".join(log.read().strip().splitlines()[-3:])
                raise Stop(f"node {number} was not ready within {seconds} s: {last}")
            time.sleep(0.05)

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for number, process in enumerate(self.processes, 1):
            stop(process, signal.SIGTERM, 20, f"node {number}")


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
