"""The servers of a run: a PostgreSQL and a Redis of its own, on free ports of loopback, stopped by process id."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

from errors import Stop
from processes import cpu_seconds, pinned, run, stop

# The durability is stock: fsync, synchronous_commit, full_page_writes and wal_sync_method are as they come. The rest
# keeps checkpoints and autovacuum from falling into some rounds only; the figures vacuum and checkpoint by themselves.
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "max_connections": "300",
    "autovacuum": "off",
}
DURABILITY = ["fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "wal_level"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, seconds, condition, process):
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise Stop(f"{what} ended with {process.returncode} instead of starting")
        if time.monotonic() > end:
            raise Stop(f"{what} did not start within {seconds} s")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A child process with a log; `cpu` is what it and its children have used so far."""

    def __init__(self, name, folder, cores):
        self.name = name
        self.folder = folder
        self.cores = cores
        self.port = free_port()
        self.process = None

    def launch(self, arguments, ready, user=None):
        # Told to stop when we die: nothing may be left behind, however this program ends.
        command = ["setpriv", "--pdeathsig", "INT"]
        if user is not None:
            command += [f"--reuid={user}", f"--regid={user}", "--init-groups"]
        with open(f"{self.folder}.log", "ab") as log:
            self.process = subprocess.Popen(
                pinned([*command, "--", *arguments], self.cores), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd="/", start_new_session=True)
        try:
            wait_for(f"{self.name} on port {self.port}", 30, ready, self.process)
        except Stop as error:
            with open(f"{self.folder}.log", encoding="utf-8", errors="replace") as log:
                last = " | ".join(log.read().strip().splitlines()[-3:])
            raise Stop(f"{error}: {last}") from None

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        if self.process is not None:
            # PostgreSQL's fast shutdown, and Redis' ordinary one.
            stop(self.process, signal.SIGINT, 30, self.name)


class Postgres(Server):
    # What the server's command begins with.
    wrapper = ()
    settings = POSTGRES_SETTINGS

    def __init__(self, folder, cores=None):
        super().__init__("PostgreSQL", folder, cores)
        self.bin = postgres_bin()

    def start(self):
        folder, user = self.folder, self.user
        os.mkdir(folder, 0o700)
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        drop = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        run([*drop, f"{self.bin}/initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
             "--no-locale"], "initdb", 60)
        self.serve()

    def serve(self):
        """Starts the server on the data that is there."""
        settings = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        listening = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.folder}"]
        self.launch([*self.wrapper, f"{self.bin}/postgres", "-D", f"{self.folder}/data", "-p", str(self.port),
                     *listening, *settings], self.answers, self.user)

    @property
    def user(self):
        # PostgreSQL refuses to run as root.
        return "postgres" if os.geteuid() == 0 else None

    def answers(self):
        ready = subprocess.run([f"{self.bin}/pg_isready", "-q", "-d", self.connection], check=False)
        return ready.returncode == 0

    @property
    def connection(self):
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def to(self, database):
        """The connection string of another database of this server."""
        return self.connection.replace("dbname=postgres", f"dbname={database}")

    def sql(self, *statements, deadline=120, database="postgres"):
        """Runs statements, each a transaction of its own, and answers their rows."""
        arguments = ["-v", "ON_ERROR_STOP=1", "-XqAt", "-F", "\t", "-d", self.to(database)]
        arguments += [part for statement in statements for part in ("-c", statement)]
        finished = run([f"{self.bin}/psql", *arguments], f"psql: {statements[0].strip()[:60]}", deadline)
        return [line.split("\t") for line in finished.output.splitlines()]


class Redis(Server):
    def __init__(self, folder, cores=None):
        super().__init__("Redis", folder, cores)

    def start(self):
        os.mkdir(self.folder, 0o700)
        self.serve()

    def serve(self):
        self.launch(
            [need("redis-server"), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", self.folder], lambda: listens(self.port))

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def command(self, *words):
        finished = run([need("redis-cli"), "-e", "-p", str(self.port), *words], f"redis-cli {words[0]}", 60)
        return finished.output.strip()


def need(program):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/bin")
    if path is None:
        raise Stop(f"{program} is not installed: deploy/scripts/dependencies.sh bench installs it")
    return path


def postgres_bin():
    """The folder of the newest PostgreSQL server that also has pgbench."""
    found = [os.path.dirname(path) for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")]
    found = [path for path in found if os.path.exists(f"{path}/pgbench")]
    if not found:
        raise Stop("no PostgreSQL server with pgbench is installed: deploy/scripts/dependencies.sh bench installs it")
    return max(found, key=lambda path: float(path.split("/")[-2]))
