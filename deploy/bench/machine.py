"""What the figures were measured on, and with."""

import datetime
import glob
import os
import platform
import re
import shutil
import subprocess

from servers import DURABILITY, POSTGRES_SETTINGS, postgres_bin


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def found(pattern, text, standard="unknown"):
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1).strip() if match else standard


def said(*command):
    """The first line that a program says about itself."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "not there"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].strip() if lines else "unknown"


def file_system(folder):
    """Device, type and mount point of the file system that a folder lies on."""
    mounts = [line.split()[:3] for line in read("/proc/mounts").splitlines()]
    above = [mount for mount in mounts if os.path.realpath(folder).startswith(mount[1].rstrip("/") + "/")]
    device, point, kind = max(above, key=lambda mount: len(mount[1]), default=("unknown", "/", "unknown"))
    # Later mounts hide earlier ones at the same place.
    same = [mount for mount in above if mount[1] == point]
    device, point, kind = same[-1] if same else (device, point, kind)
    rotates = [read(path).strip() for path in glob.glob(f"/sys/block/{os.path.basename(device)}/queue/rotational")]
    spins = {"0": ", says it does not rotate", "1": ", says it rotates"}.get(rotates[0] if rotates else "", "")
    return {"device": device, "type": kind, "text": f"{kind} on {device}{spins}"}


def describe(folder):
    cpu = read("/proc/cpuinfo")
    memory = int(found(r"^MemTotal:\s+(\d+)", read("/proc/meminfo"), "0")) / 2**20
    return {
        "cpu": found(r"^model name\s*:\s*(.*)$", cpu, platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": found(r'^PRETTY_NAME="(.*)"$', read("/etc/os-release")),
        "disk": file_system(folder)["text"],
    }


def versions():
    folder = postgres_bin()
    swift = shutil.which("swift") or "swift"
    return {
        "PostgreSQL": said(f"{folder}/postgres", "--version"),
        "pgbench": said(f"{folder}/pgbench", "--version"),
        "libpq": said("pkg-config", "--modversion", "libpq"),
        "Redis": said("redis-server", "--version").split(" sha=")[0],
        "redis-benchmark": said("redis-benchmark", "--version").split(" (")[0],
        "hiredis": said("pkg-config", "--modversion", "hiredis"),
        "etcd": said("etcd", "--version"),
        "Swift": found(r"(Swift version [\d.]+)", said(swift, "--version")),
        "Python": platform.python_version(),
    }


def load_average():
    return read("/proc/loadavg").split()[0]


def commit(root):
    head = said("git", "-C", root, "rev-parse", "--short", "HEAD")
    changed = said("git", "-C", root, "status", "--porcelain", "--untracked-files=no") != "unknown"
    return f"{head} with changes" if changed else head


def durability(server):
    """What a running PostgreSQL says of its durability, and what else was set."""
    rows = server.sql("SELECT " + ", ".join(f"current_setting('{name}')" for name in DURABILITY))
    return {**dict(zip(DURABILITY, rows[0])), **POSTGRES_SETTINGS}


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
