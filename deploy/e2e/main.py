"""The end-to-end test; README.md beside it says what is checked and which variables steer it."""

import argparse
import os
import random
import secrets
import shutil
import sys
import tempfile

import badmount_part
import browser_part
import chaos_part
import faults_part
import folders_part
import gluster_part
import jobs_part
import kills_part
import limit_part
import mount_part
import powercut_part
import race_part
import takeover_part
import tree_part
import trees
import uploads_part
from clients import Admin, Files
from report import Report, Stop, fail
from servers import Cluster, Program, Standalone, wait_for
from world import World

ACCOUNT = "partner"
# How long the load of uploads-short lasts.
SHORT_SECONDS = 8
USUAL = ["tree", "kills", "redis", "postgres", "folders", "jobs", "browser", "uploads-short", "limit"]


def setting(name, default):
    return os.environ.get(f"E2E_{name}") or default


def make_account(admin, report):
    password = secrets.token_urlsafe(18)
    admin.post("accounts", {"name": ACCOUNT, "password": password})
    report.say(f"made the account {ACCOUNT}")
    return password


def parts():
    """The parts of the cluster's run, in their order."""
    wished = setting("PARTS", "usual")
    known = ["tree", "kills", *faults_part.FAULTS, "race", "folders", "jobs", "takeover", "chaos", "mount",
             "browser", "uploads-short", "uploads", "badmount", "gluster",
             "powercut", "limit"]
    chosen = USUAL if wished == "usual" else known if wished == "all" else wished.split(",")
    unknown = [part for part in chosen if part not in known]
    if unknown:
        fail(f"E2E_PARTS: {', '.join(unknown)} is none of {', '.join(known)}")
    return [part for part in known if part in chosen]


def with_cluster(program, folder, tree, report, seed):
    report.say("--- cluster: five workers behind HAProxy")
    # Few, so that a receiver that hangs could take all of them.
    os.environ.setdefault("FLOTILLA_JOBS_MAX", "8")
    cluster = Cluster(program, folder, 5)
    report.say(f"five workers are ready, files at {cluster.files}")
    admin = Admin(cluster.admin, cluster.token())
    files = Files(cluster.files, ACCOUNT, make_account(admin, report), program.folder)
    world = World(cluster, tree, files, admin, report, seed)
    for part in parts():
        run_part(part, world, program, folder)
    report.check(program.stop(cluster.process), "Ctrl-C stops the cluster")
    nothing_runs(folder, report)


def run_part(part, world, program, folder):
    report, cluster, files, admin = world.report, world.cluster, world.files, world.admin
    if part == "tree":
        tree_part.run_cluster(cluster, world.tree, files, admin, world.home, report, world.seed)
    elif part == "kills":
        kills = int(setting("KILLS", "30"))
        if kills:
            kills_part.run(cluster, files, admin, world.home, report, kills, world.seed)
    elif part == "limit":
        if setting("LIMIT", "1") != "0":
            limit_part.run(cluster, admin, report, program, folder)
    elif part == "mount":
        mount_part.run(world, program, f"{folder}-mount")
    elif part == "powercut":
        powercut_part.run(world, program, f"{folder}-powercut", int(setting("CUTS", "12")))
    elif part in ("uploads", "uploads-short"):
        seconds = 60 * float(setting("MINUTES", "2")) if part == "uploads" else SHORT_SECONDS
        uploads_part.run(world, program, f"{folder}-{part}", seconds)
    elif part == "badmount":
        badmount_part.run(world, program, f"{folder}-badmount")
    elif part == "gluster":
        gluster_part.run(world, program, f"{folder}-gluster")
    elif part in faults_part.FAULTS:
        faults_part.run(world, part)
    else:
        {"race": race_part, "folders": folders_part, "jobs": jobs_part, "takeover": takeover_part,
         "chaos": chaos_part, "browser": browser_part}[part].run(world)


def with_standalone(program, folder, tree, report):
    report.say("--- standalone: one node on its embedded PostgreSQL")
    node = Standalone(program, folder)
    report.say(f"ready, files at {node.files}")
    admin = Admin(node.admin, node.token())
    files = Files(node.files, ACCOUNT, make_account(admin, report), program.folder)
    home = os.path.join(node.mount, "homes", ACCOUNT)
    tree_part.run_standalone(node, tree, files, admin, home, report)
    report.check(program.stop(node.process), "Ctrl-C stops the node")
    nothing_runs(folder, report)


def with_running_cluster(files_url, admin_url, token, tree, report, scratch):
    """A cluster that somebody else started: the tree in and out, no faults, no look at its mount."""
    admin = Admin(admin_url, token)
    files = Files(files_url, ACCOUNT, make_account(admin, report), scratch)
    report.say(f"{len(admin.nodes())} nodes are listed")
    tree_part.put_tree(tree, files, report, tree_part.Progress(tree.bytes))
    tree_part.get_tree(tree, lambda item: files, report, scratch)


def nothing_runs(folder, report):
    """No process is left that was started with this folder in its command line or as its working folder."""

    def left():
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = os.fsdecode(file.read().replace(b"\0", b" "))
                if int(pid) != os.getpid() and (folder in command or folder in os.readlink(f"/proc/{pid}/cwd")):
                    found.append(f"{pid}: {command[:100]}")
            except OSError:
                continue  # It ended meanwhile.
        return found

    try:
        wait_for(10, "all processes to be gone", lambda: not left())
        report.check(True, "no process is left behind")
    except Stop:
        report.violation(f"processes are left behind: {left()}")


def run(program_path, report):
    model, seed = setting("MODEL", "both"), int(setting("SEED", str(random.randrange(1_000_000))))
    if model not in ("cluster", "standalone", "both"):
        fail(f"E2E_MODEL={model}: cluster, standalone or both")
    folder = tempfile.mkdtemp(prefix="flotilla-e2e.")
    os.chmod(folder, 0o755)  # The service users must be able to pass.
    logs = os.path.join(folder, "logs")
    os.mkdir(logs)
    program = Program(program_path, logs)
    try:
        tree = trees.choose(setting("TREE", "full"))
        report.say(f"tree: {tree.describe()}; seed {seed}")
        if setting("FILES_URL", ""):
            with_running_cluster(
                setting("FILES_URL", ""), setting("ADMIN_URL", ""), setting("TOKEN", ""), tree, report, folder)
            return
        free = shutil.disk_usage(folder).free
        if free < 2 * tree.bytes:
            raise Stop(f"{free / 1e9:.1f} GB are free below {folder}, {2 * tree.bytes / 1e9:.1f} are needed (TMPDIR)")
        if model in ("cluster", "both"):
            with_cluster(program, os.path.join(folder, "cluster"), tree, report, seed)
            if model == "both" and setting("KEEP", "0") != "1":
                shutil.rmtree(os.path.join(folder, "cluster", "mount"), ignore_errors=True)
        if model in ("standalone", "both"):
            with_standalone(program, os.path.join(folder, "standalone"), tree, report)
    except Stop as stop:
        report.violation(str(stop))
    finally:
        program.stop_all()
        if report.violations:
            show_logs(folder, report)
        if setting("KEEP", "0") == "1":
            report.say(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def show_logs(folder, report):
    for path, _, names in os.walk(folder):
        if "mount" in path.split(os.sep):
            continue
        for name in sorted(names):
            if name.endswith(".log"):
                with open(os.path.join(path, name), encoding="utf-8", errors="replace") as file:
                    report.say(f"--- the last lines of {name}\n{''.join(file.readlines()[-15:])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the executable to test")
    report = Report()
    run(os.path.abspath(parser.parse_args().program), report)
    sys.exit(report.finish())


if __name__ == "__main__":
    main()
