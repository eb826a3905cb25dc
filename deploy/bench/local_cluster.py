"""A whole local cluster as a server of a run, and a second balancer beside its own."""

import json
import os
import pwd
import re
import signal
import urllib.error
import urllib.request

from errors import Stop
from processes import run, stop
from servers import Server, free_port, listens, need

# Counted from the first one; the cluster looks for the next free range by itself.
FIRST_PORT = 18080


class LocalCluster(Server):
    """`flotilla cluster up` with some workers; the balancer's address is `files`."""

    def __init__(self, program, folder, workers):
        super().__init__("flotilla cluster", folder, None)
        self.program = program
        self.workers = workers
        self.data = os.path.join(folder, "cluster")

    def start(self):
        os.mkdir(self.folder, 0o711)
        os.mkdir(self.data, 0o700)
        if os.geteuid() == 0:
            account = pwd.getpwnam("flotilla")
            os.chown(self.data, account.pw_uid, account.pw_gid)
        self.launch([self.program, "cluster", "up", "--workers", str(self.workers), "--data", self.data,
                     "--port", str(FIRST_PORT)], self.is_ready)

    def status(self):
        with open(os.path.join(self.data, "status.json"), encoding="utf-8") as file:
            return json.load(file)

    def rows(self):
        return [row for row in self.status()["rows"] if row["name"].startswith("worker-")]

    def is_ready(self):
        try:
            rows = self.rows()
            ready = len(rows) == self.workers and all(row["state"] == "ready" for row in rows)
            return ready and listens(port_of(self.files)) and self.is_balanced()
        except (OSError, ValueError, KeyError):
            return False

    def is_balanced(self):
        """Whether the balancer knows of a worker by now."""
        try:
            with urllib.request.urlopen(f"{self.files}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return False

    def pids(self):
        return {row["name"]: row["pid"] for row in self.rows()}

    @property
    def files(self):
        return self.status()["files_address"]

    def admin(self, method, path, body=None):
        """An order to the admin door of any worker."""
        with open(os.path.join(self.data, "admin-token"), encoding="ascii") as file:
            token = file.read().strip()
        request = urllib.request.Request(
            f"{self.status()['admin_address']}/api/v1{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Stop(f"{method} {path}: {error.code} {error.read().decode(errors='replace')[:300]}") from None

    def key_of(self, account):
        """A new account's key."""
        self.admin("POST", "/accounts", {"name": account, "password": os.urandom(12).hex()})
        return self.admin("POST", f"/accounts/{account}/keys", {"label": "bench"})["secret"]

    def agents(self):
        """The ports of the workers' agents, by name, as the balancer has them."""
        return {name: int(port) for name, port in re.findall(
            r"server (worker-\d+) \S+ check port \d+ agent-port (\d+)", self.configuration())}

    def configuration(self):
        with open(os.path.join(self.data, "haproxy.cfg"), encoding="utf-8") as file:
            return file.read()


class PlainBalancer(Server):
    """HAProxy as it would be without us: round robin, no word from the workers but whether they are ready."""

    def __init__(self, folder, cluster):
        super().__init__("HAProxy, round robin", folder, None)
        self.cluster = cluster

    def start(self):
        text = self.cluster.configuration()
        text = re.sub(r"balance leastconn", "balance roundrobin", text)
        text = re.sub(r" agent-check\b| agent-(port|addr|inter) \S+", "", text)
        text = re.sub(r"stats socket .*", "", text)
        text = re.sub(r"(frontend files-front\n\s+bind 127\.0\.0\.1:)\d+", rf"\g<1>{self.port}", text)
        text = re.sub(r"(frontend admin-front\n\s+bind 127\.0\.0\.1:)\d+", rf"\g<1>{free_port()}", text)
        os.mkdir(self.folder, 0o711)
        path = os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        run([need("haproxy"), "-c", "-f", path], "haproxy -c", 20)
        self.launch([need("haproxy"), "-db", "-f", path], lambda: listens(self.port))

    def stop(self):
        if self.process is not None:
            stop(self.process, signal.SIGTERM, 10, self.name)

    @property
    def files(self):
        return f"http://127.0.0.1:{self.port}"


def port_of(address):
    return int(address.rsplit(":", 1)[1])
