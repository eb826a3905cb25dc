"""Two nodes, each on a mount of its own of one GlusterFS volume; only root can mount."""

import base64
import hashlib
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import checks
from clients import Admin, Files
from mount_part import command
from report import Stop, wait_for
from servers import Cluster, free_port, is_ready, options_of
from trees import digest

# What docs/mount.md requires: no node believes what it saw before.
TRANSLATORS = ["stat-prefetch", "quick-read", "io-cache", "read-ahead", "write-behind", "nl-cache", "readdir-ahead"]
TIMEOUTS = "attribute-timeout=0,entry-timeout=0,negative-timeout=0"
FILES = 70


class Volume:
    """A volume of one brick, by a glusterd of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.points = []
        state = os.path.join(folder, "state")
        os.makedirs(os.path.join(state, "run"))
        os.makedirs(os.path.join(folder, "brick"))
        self.control = os.path.join(folder, "glusterd.sock")
        definition = os.path.join(folder, "glusterd.vol")
        with open(definition, "w", encoding="utf-8") as file:
            file.write("\n".join([
                "volume management", "type mgmt/glusterd", f"option working-directory {state}",
                "option transport-type socket", f"option glusterd-sockfile {self.control}",
                f"option rundir {state}/run", "option ping-timeout 0", "end-volume", ""]))
        self.daemon = subprocess.Popen(
            ["glusterd", "-N", "-f", definition, "-l", os.path.join(folder, "glusterd.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(20, "glusterd", self.answers, every=0.2)
            self.host = socket.gethostname()
            self.order("volume", "create", "flotilla", f"{self.host}:{folder}/brick", "force")
            for name in TRANSLATORS:
                self.order("volume", "set", "flotilla", f"performance.{name}", "off")
            self.order("volume", "start", "flotilla")
        except Stop:
            self.close()
            raise

    def answers(self):
        try:
            self.order("volume", "list")
            return True
        except Stop:
            return False

    def order(self, *words):
        return command("gluster", f"--glusterd-sock={self.control}", "--mode=script", *words)

    def mount(self, point):
        os.makedirs(point, exist_ok=True)
        log = os.path.join(self.folder, f"{os.path.basename(os.path.dirname(point))}.log")
        command("mount", "-t", "glusterfs", "-o", f"{TIMEOUTS},log-file={log}", f"{self.host}:/flotilla", point)
        if point not in self.points:
            self.points.append(point)

    def client(self, point):
        """The process that serves a mount."""
        return next(pid for pid, words in processes() if words[0].endswith("glusterfs") and words[-1] == point)

    def brick(self):
        return next(pid for pid, words in processes()
                    if words[0].endswith("glusterfsd") and any(self.folder in word for word in words))

    def close(self):
        for point in self.points:
            subprocess.run(["umount", "-l", point], capture_output=True, check=False)
        if self.answers():
            try:
                self.order("volume", "stop", "flotilla", "force")
            except Stop:
                pass  # It was never started.
        self.daemon.terminate()
        self.daemon.wait(20)


def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = [os.fsdecode(word) for word in file.read().split(b"\0")[:-1]]
        except OSError:
            continue  # It ended meanwhile.
        if words:
            yield int(pid), words


class Second:
    """A node beside the cluster's own worker, on another mount."""

    def __init__(self, program, cluster, folder, mount):
        self.program, self.cluster, self.folder, self.mount = program, cluster, folder, mount
        os.makedirs(folder, exist_ok=True)
        owner = os.stat(cluster.folder)
        os.chown(folder, owner.st_uid, owner.st_gid)
        self.start()

    def start(self):
        worker = options_of(self.cluster.workers()["worker-1"]["pid"])
        self.files_port = free_port(int(worker["--files-port"]) + 10)
        arguments = ["serve", "--name", "second", "--mount", self.mount, "--data", self.folder, "--bind", "127.0.0.1",
                     "--files-port", str(self.files_port), "--admin-port", str(free_port(self.files_port + 100)),
                     "--agent-port", str(free_port(self.files_port + 200))]
        for name in ("--database-url", "--redis-url", "--database-connections"):
            arguments += [name, worker[name]]
        self.process = self.program.start("second", arguments)
        wait_for(60, "the second node", lambda: is_ready(self.url), every=0.1)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.files_port}"

    def kill(self):
        self.process.kill()
        self.process.wait()


class Pair:
    def __init__(self, cluster, second, files, admin, report, volume):
        self.cluster, self.second, self.admin, self.report, self.volume = cluster, second, admin, report, volume
        self.nodes = [files.at(cluster.direct("worker-1")), files.at(second.url)]
        self.acknowledged = {}

    def other(self, node):
        return self.nodes[1 - self.nodes.index(node)]

    def scratch(self, size=3000):
        path = os.path.join(self.nodes[0].scratch, f"gluster-{threading.get_ident()}")
        with open(path, "wb") as file:
            file.write(os.urandom(size))
        return path

    def put(self, node, name, size=3000, retry=False):
        source = self.scratch(size)
        answer = node.put(source, name, retry=retry)
        if answer.status in (200, 201):
            self.acknowledged[name] = digest(source)
        return answer

    def serves(self, node, name):
        into = os.path.join(node.scratch, "gluster-fetched")
        answer = node.get(name, into, retry=False)
        return answer.status == 200 and digest(into) == self.acknowledged[name]

    def check_all(self, when, nodes=None):
        wrong = [(name, node.url) for node in nodes or self.nodes for name in self.acknowledged
                 if not self.serves(node, name)]
        self.report.check(not wrong, f"{when} each node serves all {len(self.acknowledged)} files whole", wrong[:3])


def run(world, program, folder):
    if os.geteuid() != 0:
        world.report.say("--- gluster: left out, only root can mount")
        return
    world.report.say("--- gluster: two nodes on two mounts of one GlusterFS volume")
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    volume = Volume(os.path.join(folder, "volume"))
    try:
        with_volume(world, program, folder, volume)
    finally:
        volume.close()


def with_volume(world, program, folder, volume):
    owner = os.stat(world.cluster.folder)
    home, beside = os.path.join(folder, "cluster"), os.path.join(folder, "beside")
    volume.mount(os.path.join(home, "mount"))
    volume.mount(os.path.join(beside, "mount"))
    for path in (home, beside, os.path.join(home, "mount")):
        os.chown(path, owner.st_uid, owner.st_gid)
    cluster = Cluster(program, home, 1, "gluster-cluster")
    admin = Admin(cluster.admin, cluster.token())
    password = secrets.token_urlsafe(18)
    admin.post("accounts", {"name": "pair", "password": password})
    second = Second(program, cluster, os.path.join(beside, "data"), os.path.join(beside, "mount"))
    pair = Pair(cluster, second, Files(cluster.files, "pair", password, program.folder), admin, world.report, volume)
    for step in (seen_at_once, renamed, overwritten, resumed, killed, cut_off, hung):
        started = time.monotonic()
        step(pair)
        world.report.say(f"{step.__name__}: {time.monotonic() - started:.1f} s")
    world.report.check(program.stop(second.process), "the second node stops")
    world.report.check(program.stop(cluster.process), "the cluster stops")


def seen_at_once(pair):
    late = []
    for number in range(FILES):
        node = pair.nodes[number % 2]
        name = f"in/{number % 7}/f{number}"
        # Asked for before it is there: a node must not remember that it is missing.
        missing = pair.other(node).get(name, os.devnull, retry=False).status
        answer = pair.put(node, name)
        if missing != 404 or answer.status != 201 or not pair.serves(pair.other(node), name):
            late.append((name, missing, str(answer)))
    pair.report.check(not late, f"{FILES} files are seen at the other node at once", late[:3])
    tags = {node.curl(["--head", node.address("in/0/f0")], False).body.lower().partition("etag: ")[2].split("\n")[0]
            for node in pair.nodes}
    pair.report.check(len(tags) == 1 and "" not in tags, "both know the file by the same tag", tags)


def renamed(pair):
    wrong = []
    for number in range(0, FILES, 5):
        node, old, new = pair.nodes[number % 2], f"in/{number % 7}/f{number}", f"moved-{number}"
        answer = node.call("MOVE", old, f"Destination: /files/{new}")
        pair.acknowledged[new] = pair.acknowledged.pop(old)
        gone = pair.other(node).get(old, os.devnull, retry=False).status
        if answer.status != 201 or gone != 404 or not pair.serves(pair.other(node), new):
            wrong.append((old, str(answer), gone))
    folder = pair.nodes[1].call("MOVE", "in/6", "Destination: /files/sixth")
    for name in [name for name in pair.acknowledged if name.startswith("in/6/")]:
        pair.acknowledged[name.replace("in/6", "sixth")] = pair.acknowledged.pop(name)
    pair.report.check(not wrong and folder.status == 201, "what one renames the other finds", (wrong[:3], str(folder)))
    pair.check_all("after the renaming")


def overwritten(pair):
    """Both write one name, and readers at both look."""
    contents = [os.urandom(400_000) for _ in range(2)]
    known = {hashlib.sha256(content).hexdigest() for content in contents}
    sources = []
    for number, content in enumerate(contents):
        sources.append(os.path.join(pair.nodes[0].scratch, f"gluster-source-{number}"))
        with open(sources[-1], "wb") as file:
            file.write(content)
    pair.nodes[0].put(sources[0], "shared", retry=False)
    over, seen, wrong = threading.Event(), [0], []

    def read(node, number):
        into = os.path.join(node.scratch, f"gluster-read-{number}")
        while not over.is_set():
            answer = node.get("shared", into, retry=False)
            seen[0] += 1
            # A file that is replaced while it is sent may be cut off, never mixed.
            if answer.status == 200 and digest(into) not in known:
                wrong.append(str(answer))

    readers = [threading.Thread(target=read, args=(node, number)) for number, node in enumerate(pair.nodes)]
    for reader in readers:
        reader.start()
    statuses = set()
    for turn in range(40):
        statuses.add(pair.nodes[turn % 2].put(sources[turn // 2 % 2], "shared", retry=True).status)
    over.set()
    for reader in readers:
        reader.join()
    pair.acknowledged["shared"] = digest(sources[39 // 2 % 2])
    pair.report.check(statuses == {200} and not wrong, f"{seen[0]} looks at a file that both overwrite: always whole",
                      (statuses, wrong[:3]))
    pair.check_all("after the overwriting")


def resumed(pair):
    """A resumable upload, each piece at the other node."""
    content = os.urandom(3_000_000)
    cuts = [0, 700_000, 1_400_001, 2_500_000, len(content)]
    answer = tus(pair.nodes[0], "POST", "/files/resumed", {"Upload-Length": str(len(content))})
    place = answer.headers["Location"]
    place = place[place.index("/uploads/"):]
    for turn in range(4):
        part = content[cuts[turn]:cuts[turn + 1]]
        answer = tus(pair.nodes[turn % 2], "PATCH", place,
                     {"Upload-Offset": str(cuts[turn]), "Content-Type": "application/offset+octet-stream"}, part)
        pair.report.check(answer.status == 204, f"piece {turn + 1} at node {turn % 2 + 1}", answer.status)
    pair.acknowledged["resumed"] = hashlib.sha256(content).hexdigest()
    pair.check_all("after pieces at both")


def tus(node, method, path, headers, body=None):
    request = urllib.request.Request(node.url + path, method=method, data=body)
    login = base64.b64encode(f"{node.account}:{node.password}".encode()).decode()
    for name, value in {"Authorization": f"Basic {login}", "Tus-Resumable": "1.0.0", **headers}.items():
        request.add_header(name, value)
    try:
        return urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        return error


def killed(pair):
    over = threading.Event()

    def load(node, number):
        turn = 0
        while not over.is_set():
            pair.put(node, f"load/{number}-{turn}", 200_000)
            turn += 1

    threads = [threading.Thread(target=load, args=(node, number)) for number, node in enumerate(pair.nodes * 2)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    pair.second.kill()
    time.sleep(4)
    over.set()
    for thread in threads:
        thread.join()
    pair.check_all("after the death of one", pair.nodes[:1])
    checks.staging_is_empty(pair.cluster.mount, pair.report)
    pair.second.start()
    pair.nodes[1] = pair.nodes[1].at(pair.second.url)
    pair.check_all("with the dead one back")


def cut_off(pair):
    """One mount's client process dies; the other node goes on."""
    report, point = pair.report, pair.second.mount
    os.kill(pair.volume.client(point), signal.SIGKILL)
    started = time.monotonic()
    wait_for(15, "the second node to notice", lambda: not is_ready(pair.second.url), every=0.1)
    report.say(f"noticed after {time.monotonic() - started:.1f} s")
    statuses = [pair.put(pair.nodes[1], "never").status, pair.nodes[1].get("shared", os.devnull, retry=False).status]
    report.check(statuses == [503, 503], "without its mount a node answers 503", statuses)
    report.check(pair.put(pair.nodes[0], "meanwhile").status == 201, "the other one takes a file")
    command("umount", "-l", point)
    pair.volume.mount(point)
    wait_for(30, "the second node to be back", lambda: is_ready(pair.second.url), every=0.1)
    pair.check_all("with the mount back")


def hung(pair):
    """The brick stops answering for ten seconds: both isolate themselves, nobody is taken for dead."""
    report, urls = pair.report, [node.url for node in pair.nodes]
    before = {name: node["incarnation"] for name, node in checks.nodes_by_name(pair.admin).items()}
    brick = pair.volume.brick()
    os.kill(brick, signal.SIGSTOP)
    try:
        wait_for(15, "both to notice", lambda: not any(is_ready(url) for url in urls), every=0.1)
        time.sleep(5)
    finally:
        os.kill(brick, signal.SIGCONT)
    started = time.monotonic()
    wait_for(60, "both to be back", lambda: all(is_ready(url) for url in urls), every=0.2)
    report.say(f"both are back after {time.monotonic() - started:.1f} s")
    after = {name: node["incarnation"] for name, node in checks.nodes_by_name(pair.admin).items()}
    report.check(after == before, "with a mount that hangs nobody is taken for dead", (before, after))
    report.check(pair.put(pair.nodes[1], "again", retry=True).status in (200, 201), "a file goes in")
    pair.check_all("with the mount answering again")
