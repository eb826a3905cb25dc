"""The power is cut, again and again, and what was acknowledged must be there: F3 of docs/FILES.md; root only.

The mount is an ext4 over a recorded file. A cut leaves everything up to the disk's last flush, and of what was written
after it whatever the lots say. Twins that forget to sync show that the check sees it.
"""

import contextlib
import math
import os
import secrets
import signal
import time

import oracle
from clients import Admin, Files
from faults_part import kill
from mount_part import command
from powercut_check import Look, examine
from powercut_disk import FATES, Disk, Images, Mounted, copy
from powercut_load import FOLDERS, Client, History, Load
from servers import Cluster
from world import World

HERE = os.path.dirname(os.path.abspath(__file__))
WORKERS = 2
ACCOUNT = "power"
SECONDS = 6
# How long the nodes and the database live on without the disk.
DELAYS = [0, 0.5, 0, 1.5]
TWINS = ["all", "files", "folders"]


def run(world, program, folder, cuts):
    if os.geteuid() != 0:
        world.report.say("--- powercut: left out, only root can mount")
        return
    world.report.say(f"--- powercut: {len(DELAYS)} times the power goes, each looked at as {cuts} other cuts, too")
    oracle.prove()
    with Place(world, program, folder, "real") as place:
        for number, delay in enumerate(DELAYS):
            place.cycle(number, delay, cuts)
        place.stop()
    for twin in TWINS:
        with forgetting(twin, folder, world.report):
            with Place(world, program, f"{folder}-{twin}", twin) as place:
                found = place.only_cuts(cuts)
        world.report.check(found, f"a twin that forgets to sync ({twin}) is caught: {len(found)} of the cuts show it")
        world.report.say(f"for example: {found[0] if found else 'nothing'}")


@contextlib.contextmanager
def forgetting(which, folder, report):
    """Nodes that are started now forget syncs below their mount."""
    library = f"{folder}-lose-syncs.so"
    command("gcc", "-shared", "-fPIC", "-O1", "-o", library, f"{HERE}/powercut/lose_syncs.c")
    more = {"LD_PRELOAD": library, "LOSE_SYNCS": which, "LOSE_SYNCS_BELOW": f"{folder}-{which}/cluster/mount"}
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]


class Place:
    """A cluster on a recorded disk."""

    def __init__(self, world, program, folder, name):
        self.outer, self.program, self.folder, self.report = world, program, folder, world.report
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        home = os.path.join(folder, "cluster")
        owner = os.stat(world.cluster.folder)
        self.disk = Disk(folder, os.path.join(home, "mount"), owner)
        self.cluster = None
        try:
            os.chown(home, owner.st_uid, owner.st_gid)
            self.cluster = Cluster(program, home, WORKERS, f"powercut-{name}")
            admin = Admin(self.cluster.admin, self.cluster.token())
            password = secrets.token_urlsafe(18)
            admin.post("accounts", {"name": ACCOUNT, "password": password})
            scratch = os.path.join(folder, "scratch")
            os.makedirs(scratch)
            files = Files(self.cluster.files, ACCOUNT, password, scratch)
            for name in FOLDERS:
                files.call("MKCOL", name)
            self.world = World(self.cluster, world.tree, files, admin, self.report, f"{world.seed}-{name}")
        except BaseException:
            self.disk.close()
            raise
        self.history = History()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.cluster.process.poll() is None:
            kill(self.cluster.process.pid, signal.SIGCONT)
            self.program.stop(self.cluster.process)
        self.disk.close()

    def stop(self):
        self.report.check(self.program.stop(self.cluster.process), "Ctrl-C stops the cluster on the recorded disk")

    def strike(self, number, delay):
        """Load for some seconds, then the power goes; its log, and when the load began and the disk stopped."""
        load, began = Load(self.world, self.history, number), time.monotonic()
        time.sleep(SECONDS * self.world.lots.uniform(0.7, 1.3))
        pids = [row["pid"] for row in self.cluster.workers().values() if row.get("pid")]
        kill(self.cluster.process.pid, signal.SIGSTOP)
        if not delay:
            for pid in pids:
                kill(pid)
        self.disk.freeze()
        ended = time.monotonic()
        time.sleep(delay)
        for pid in pids:
            kill(pid)
        load.stop()
        return self.disk.take_away(), began, ended

    def cycle(self, number, delay, cuts):
        log, began, ended = self.strike(number, delay)
        told = self.history.acknowledgements(began, math.inf)
        self.report.say(f"cut {number + 1}: {len(log.records)} writes and flushes, {len(told)} acknowledgements, nodes "
                        f"and database {delay:g} s longer than the disk")
        wrong = self.other_cuts(log, began, ended, cuts)
        self.report.check(not wrong, f"cut {number + 1}: at {cuts} other moments everything acknowledged is there, no "
                          "destination holds anything partial, and e2fsck finds nothing", wrong[:5])
        self.come_back(number, log)
        self.judge(number)

    def only_cuts(self, cuts):
        log, began, ended = self.strike(0, 0)
        try:
            return self.other_cuts(log, began, ended, cuts)
        finally:
            log.close()
            kill(self.cluster.process.pid, signal.SIGCONT)

    def other_cuts(self, log, began, ended, cuts):
        """Cuts at other moments of the same time: right after somebody was told something, and amid many writes."""
        lots, told, busy = self.world.lots, self.history.acknowledgements(began, ended), log.busiest()
        moments = [lots.choice(told) + lots.uniform(0, 0.002) for _ in range(cuts - cuts // 2)]
        moments += [lots.choice(busy) for _ in range(cuts // 2)]
        images, wrong, pending = Images(self.disk.base, log), [], 0
        for moment in sorted(moments):
            fate, seed = lots.choice(FATES), lots.random()
            image = os.path.join(self.folder, "cut.img")
            pending += images.cut(log.until(moment), fate, seed, image)
            found = self.look_at(image, moment)
            if found:
                when = f"{moment - began:.3f} s after the load began"
                wrong.append(f"{when}, fate {fate}: {len(found)}, such as {found[:3]}")
            os.unlink(image)
        self.report.say(f"{pending} writes were on their way in {cuts} cuts")
        return wrong

    def look_at(self, image, moment):
        mounted = Mounted(image, os.path.join(self.folder, "look"))
        with mounted:
            found = examine(mounted.point, ACCOUNT, self.history, moment)
        return found + [mounted.complaint] if mounted.complaint else found

    def come_back(self, number, log):
        """The disk shows what the cut left, and the nodes start on it with the database as it is."""
        image = os.path.join(self.folder, "left.img")
        lots = self.world.lots
        fate = lots.choice(FATES)
        pending = Images(self.disk.base, log).cut(len(log.records), fate, lots.random(), image)
        log.close()
        looked = os.path.join(self.folder, "looked.img")
        copy(image, looked)
        found = self.look_at(looked, math.inf)
        os.unlink(looked)
        self.report.check(not found, f"cut {number + 1}: what was told is on the disk ({pending} writes after its last "
                          f"flush, fate {fate})", found[:5])
        self.disk.replace(image)
        kill(self.cluster.process.pid, signal.SIGCONT)
        started = time.monotonic()
        self.cluster.wait(WORKERS, 90)
        self.report.say(f"all serve again {time.monotonic() - started:.1f} s after the power is back")

    def judge(self, number):
        """The nodes have made disk and database consistent, and go on with what was not finished."""
        when = f"cut {number + 1}, afterwards"
        self.finish_uploads(when)
        # What dead nodes left of uploads that were just ending goes with the look that nodes take once a minute.
        self.world.calm(staging=90)
        now = time.monotonic()
        wrong = examine(self.disk.point, ACCOUNT, self.history, now)
        self.report.check(not wrong, f"{when}: all that was ever acknowledged is visible", wrong[:5])
        self.log_agrees(when)

    def finish_uploads(self, when):
        client, behind, unfinished = Client(self.world, self.history, f"{self.world.seed} {when}"), [], []
        uploads = [upload for upload in self.history.uploads if not upload.change.acknowledged]
        for upload in uploads:
            status, headers, _ = client.request("HEAD", upload.place, Tus_Resumable="1.0.0")
            told = upload.highest(math.inf)
            if status != 200 or int(headers.get("Upload-Offset", -1)) < told:
                behind.append((upload.name, status, headers.get("Upload-Offset"), told))
                continue
            client.go_on(upload, len(upload.content))
            if not upload.change.acknowledged:
                unfinished.append(upload.name)
        self.report.check(not behind, f"{when}: {len(uploads)} unfinished uploads stand where they were told to, or "
                          "further", behind[:3])
        self.report.check(not unfinished, f"{when}: they go on and are finished", unfinished[:3])

    def log_agrees(self, when):
        """What the log says was kept and nothing took away is on disk; what is on disk is in the log."""
        rows = self.world.database.rows(
            "select kind, convert_from(path, 'UTF8'), coalesce(convert_from(target, 'UTF8'), ''), "
            "encode(digest, 'hex') from flotilla.transfer where status = 'completed' and kind <> 'download' "
            "order by ended_at, id")
        expected = {}
        for kind, name, target, sha256 in rows:
            if kind == "upload":
                expected[name] = sha256
            elif kind == "delete":
                expected.pop(name, None)
            elif kind == "move" and name in expected:
                expected[target] = expected.pop(name)
        files = Look(self.disk.point, ACCOUNT).files
        wrong = [(name, expected.get(name), files.get(name)) for name in expected.keys() | files.keys()
                 if expected.get(name) != files.get(name)]
        self.report.check(not wrong, f"{when}: the log ({len(rows)} records) agrees with the disk ({len(files)} files)",
                          wrong[:3])
