"""Whole files by HTTP from one node, beside nginx on the same disk: GETs, durable PUTs, tus."""

import base64
import os
import shutil

from errors import Stop
from local_cluster import LocalCluster
from nginx import PASSWORD, USER, Nginx
from registry import Figure, Result, at_least, subject

KIB, MIB = 1 << 10, 1 << 20
SMALL, MIDDLE, LARGE = 4 * KIB, MIB, 256 * MIB
LABELS = {SMALL: "4KiB", MIDDLE: "1MiB", LARGE: "256MiB"}
# Files that GETs ask for in turn.
FILES = {SMALL: 1000, MIDDLE: 64, LARGE: 2}
SENDFILE = "nginx (sendfile, basic authentication), the same files"
DURABLE = "nginx (WebDAV's PUT), then fsync of file and folder by the client"


class Sides:
    """A node of ours and an nginx, with the same files."""

    def __init__(self, bench):
        self.bench = bench
        self.cluster = LocalCluster(bench.flotilla, os.path.join(bench.folder, f"files-{bench.next_number()}"), 1)
        self.nginx = bench.server(Nginx)

    def __enter__(self):
        try:
            self.cluster.start()
            self.cluster.admin("POST", "/accounts", {"name": USER, "password": PASSWORD})
        except BaseException:
            self.cluster.stop()
            raise
        return self

    def __exit__(self, *_):
        self.cluster.stop()

    @property
    def home(self):
        return os.path.join(self.cluster.data, "mount", "homes", USER)

    @property
    def worker(self):
        return self.cluster.rows()[0]

    def ours(self, kind, size, clients, **more):
        port, pid = self.worker["files_port"], self.worker["pid"]
        return self.side("/files/", port, Usage(pid), kind, size, clients, **more)

    def peer(self, kind, size, clients, **more):
        return self.side("/", self.nginx.port, self.nginx, kind, size, clients, folder=self.nginx.data, **more)

    def side(self, root, port, server, kind, size, clients, folder=None, chunk=None):
        def one(seconds, name):
            path = f"{root}{LABELS[size]}-" if kind == "get" else f"{root}{name}/"
            if kind != "get":
                os.makedirs(os.path.join(folder or self.home, name))
                self.own(os.path.join(folder or self.home, name), folder or self.home)
            more = ["--files", FILES[size]] if kind == "get" else []
            if kind == "put" and folder is not None:
                more += ["--synced-folder", os.path.join(folder, name)]
            if chunk is not None:
                more += ["--chunk", chunk]
            try:
                return self.bench.load(
                    "files", kind, "--port", port, "--path", path, "--size", size, "--clients", clients,
                    "--authorization", self.nginx.authorization, *more, seconds=seconds, server=server)
            finally:
                if kind != "get":
                    shutil.rmtree(os.path.join(folder or self.home, name), ignore_errors=True)
                    os.sync()

        return one

    @staticmethod
    def own(path, like):
        status = os.stat(like)
        os.chown(path, status.st_uid, status.st_gid)
        os.chmod(path, 0o2777)

    def fill(self, size):
        """The files that are asked for, at both, and nothing left to be written out."""
        body = os.urandom(min(size, MIB))
        for folder in (self.home, self.nginx.data):
            owner = os.stat(folder)
            for number in range(FILES[size]):
                path = os.path.join(folder, f"{LABELS[size]}-{number}")
                with open(path, "wb") as file:
                    for _ in range(max(1, size // MIB)):
                        file.write(body)
                # As if they had been put there: of one's own files a program may know what is cached.
                os.chown(path, owner.st_uid, owner.st_gid)
                os.chmod(path, 0o644)
        os.sync()


class Usage:
    """The processor time of a process that somebody else started."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        from processes import cpu_seconds  # pylint: disable=import-outside-toplevel

        return cpu_seconds(self.pid)


def compared(bench, sides, figure, kind, size, clients):
    chosen = {"ours": sides.ours(kind, size, clients), "nginx": sides.peer(kind, size, clients)}
    bench.say(f" {figure}")
    rounds = bench.rounds(chosen)
    shown = bench.beside(rounds, chosen)
    return Result(figure, rounds.of("ours", "rate"), {"nginx": rounds.of("nginx", "rate")}, shown)


def get_figure(size, goal, clients):
    return Figure(f"get.{LABELS[size]}", "files/s", f"GETs of files of {LABELS[size]}, keep-alive, authenticated, "
                  f"{clients}; answers a second", SENDFILE, at_least(goal))


def put_figure(size, goal, clients):
    return Figure(f"put.{LABELS[size]}", "files/s", f"PUTs of new files of {LABELS[size]}, durable, SHA-256 computed, "
                  f"logged, {clients}; files a second", DURABLE, at_least(goal))


@subject(get_figure(SMALL, 0.5, "16 clients"))
def get_small(bench):
    return measure(bench, "get", SMALL, [16])


@subject(get_figure(MIDDLE, 0.9, "1 and 16 clients"))
def get_middle(bench):
    return measure(bench, "get", MIDDLE, [1, 16])


@subject(get_figure(LARGE, 0.9, "1 and 16 clients"))
def get_large(bench):
    return measure(bench, "get", LARGE, [1, 16])


@subject(put_figure(SMALL, 0.7, "16 clients"))
def put_small(bench):
    return measure(bench, "put", SMALL, [16])


@subject(put_figure(MIDDLE, 0.9, "1 and 16 clients"))
def put_middle(bench):
    return measure(bench, "put", MIDDLE, [1, 16])


@subject(put_figure(LARGE, 0.9, "1 and 16 clients"))
def put_large(bench):
    return measure(bench, "put", LARGE, [1, 16])


def measure(bench, kind, size, clients):
    figure = f"{kind}.{LABELS[size]}"
    with Sides(bench) as sides:
        if kind == "get":
            sides.fill(size)
        names = {count: figure if len(clients) == 1 else f"{figure}.c{count}" for count in clients}
        return [compared(bench, sides, names[count], kind, size, count) for count in clients]


@subject(Figure("tus.256MiB", "files/s", "tus uploads of 256 MiB in pieces of 8 MiB, one client; files a second",
                "our own plain PUT", at_least(0.85)))
def tus(bench):
    with Sides(bench) as sides:
        chosen = {"ours": sides.ours("tus", LARGE, 1, chunk=8 * MIB), "plain PUT": sides.ours("put", LARGE, 1)}
        rounds = bench.rounds(chosen)
        return [Result("tus.256MiB", rounds.of("ours", "rate"), {"plain PUT": rounds.of("plain PUT", "rate")},
                       bench.beside(rounds, chosen))]
