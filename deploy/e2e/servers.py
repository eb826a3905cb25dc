"""The processes under test: a local cluster, a standalone node, and the program's other commands."""

import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from report import Stop, wait_for


def url(address):
    return address if "://" in address else f"http://{address}"


def is_ready(address):
    try:
        with urllib.request.urlopen(f"{url(address)}/health/ready", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def free_port(start):
    """The first port from `start` on, on loopback, on which nothing listens."""
    for port in range(start, start + 500):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Stop(f"no free port from {start} on")


def options_of(pid):
    """The options of a worker, read from its command line, so that another command reaches the same cluster."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = [os.fsdecode(word) for word in file.read().split(b"\0")]
    return {words[i]: words[i + 1] for i in range(len(words) - 1) if words[i].startswith("--")}


def first_port():
    """Where the search for free ports begins (E2E_PORT)."""
    return int(os.environ.get("E2E_PORT") or 8080)


class Program:
    """The executable, and a folder for what its processes print."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.started = []

    def start(self, name, arguments):
        log = open(os.path.join(self.folder, f"{name}.log"), "ab")
        process = subprocess.Popen(
            [self.path, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True)
        log.close()
        self.started.append(process)
        return process

    def run(self, arguments, seconds=60):
        """Runs a command to its end: exit code and all that it printed."""
        try:
            done = subprocess.run(
                [self.path, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds,
                check=False)
        except subprocess.TimeoutExpired:
            return None, f"no end within {seconds} s"
        return done.returncode, done.stdout + done.stderr

    def log(self, name):
        with open(os.path.join(self.folder, f"{name}.log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, process, seconds=60):
        """Asks it to stop like Ctrl-C does, then insists. True when it went by itself."""
        if process.poll() is not None:
            return True
        process.send_signal(signal.SIGINT)
        try:
            process.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False

    def stop_all(self):
        for process in reversed(self.started):
            self.stop(process, 30)


class Cluster:
    """`flotilla cluster up` in a folder of its own."""

    def __init__(self, program, folder, workers, name="cluster"):
        self.program = program
        self.folder = folder
        self.mount = os.path.join(folder, "mount")
        arguments = ["cluster", "up", "--workers", str(workers), "--data", folder, "--port", str(first_port())]
        self.name = name
        self.process = program.start(name, arguments)
        self.wait(workers, 120)

    def status(self):
        with open(os.path.join(self.folder, "status.json"), encoding="utf-8") as file:
            return json.load(file)

    def row(self, name):
        return next(row for row in self.status()["rows"] if row["name"] == name)

    def workers(self):
        return {row["name"]: row for row in self.status()["rows"] if row["name"].startswith("worker-")}

    def ready(self):
        """The workers that are ready, by the supervisor's word and by their own."""
        return {
            name: row for name, row in self.workers().items()
            if row["state"] == "ready" and row.get("pid") and is_ready(f"127.0.0.1:{row['files_port']}")
        }

    def wait(self, count, seconds):
        def reached():
            if self.process.poll() is not None:
                raise Stop(f"cluster up ended with {self.process.returncode}:\n{self.program.log(self.name)[-2000:]}")
            return len(self.workers()) == count and len(self.ready()) == count and is_ready(self.files)

        wait_for(seconds, f"{count} ready workers", reached)

    def scale(self, count):
        return self.program.run(["cluster", "scale", str(count), "--data", self.folder], seconds=180)

    @property
    def files(self):
        return url(self.status()["files_address"])

    @property
    def admin(self):
        return url(self.status()["admin_address"])

    def direct(self, name):
        return f"http://127.0.0.1:{self.workers()[name]['files_port']}"

    def options(self, *names):
        """The named options of one of the workers, as arguments."""
        options = options_of(next(iter(self.ready().values()))["pid"])
        return [word for name in names if name in options for word in (name, options[name])]

    def token(self):
        return issue_token(self.program, self.options("--database-url", "--mount", "--data"))


class Standalone:
    """`flotilla serve` with its embedded database, as `make run` starts it."""

    def __init__(self, program, folder):
        self.program = program
        self.folder = folder
        self.mount = os.path.join(folder, "mount")
        self.data = os.path.join(folder, "data")
        self.files_port = free_port(first_port())
        self.admin_port = free_port(self.files_port + 1)
        self.start()

    def start(self):
        self.process = self.program.start("standalone", [
            "serve", "--data", self.data, "--mount", self.mount, "--files-port", str(self.files_port),
            "--admin-port", str(self.admin_port)])

        def ready():
            if self.process.poll() is not None:
                raise Stop(f"serve ended with {self.process.returncode}:\n{self.program.log('standalone')[-2000:]}")
            return is_ready(self.files)

        wait_for(60, "the standalone node", ready, every=0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def files(self):
        return f"http://127.0.0.1:{self.files_port}"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def token(self):
        return issue_token(self.program, ["--data", self.data, "--mount", self.mount])


def issue_token(program, arguments):
    code, output = program.run(["token", "issue", *arguments])
    words = re.findall(r"[A-Za-z0-9._~+/=-]{20,}", output)
    if code != 0 or not words:
        raise Stop(f"flotilla token issue ended with {code}: {output[-500:]}")
    return words[-1]
