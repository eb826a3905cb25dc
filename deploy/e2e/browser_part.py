"""The page for people in a real browser, with workers killed under it. The steps are in the folder browser."""

import hashlib
import json
import os
import secrets
import subprocess
import sys

from report import Stop

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
ACCOUNT = "browser"
SECONDS_MAX = 900


def environment():
    """A Python with what drives the browser: made from PyPI when its list of packages has changed."""
    with open(f"{HERE}/requirements.txt", "rb") as file:
        mark = hashlib.sha256(file.read() + sys.version.encode()).hexdigest()[:16]
    folder = os.path.join(ROOT, "var", f"e2e-python-{mark}")
    python = f"{folder}/bin/python"
    if not os.path.exists(f"{folder}/complete"):
        for command in (
                [sys.executable, "-m", "venv", "--clear", folder],
                [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "-r",
                 f"{HERE}/requirements.txt"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            if done.returncode != 0:
                raise Stop(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
        with open(f"{folder}/complete", "w", encoding="ascii"):
            pass
    return python


def run(world):
    report = world.report
    report.say("--- browser: the page in Chromium, while workers are killed")
    password = secrets.token_urlsafe(12)
    world.admin.post("accounts", {"name": ACCOUNT, "password": password})
    scratch = os.path.join(world.files.scratch, "browser")
    os.makedirs(scratch, exist_ok=True)
    told = {
        "files": world.cluster.files, "admin": world.admin.url, "token": world.admin.token,
        "cluster": world.cluster.folder, "mount": world.cluster.mount, "account": ACCOUNT, "password": password,
        "scratch": scratch, "pictures": os.environ.get("E2E_PICTURES") or scratch, "seed": world.seed,
        "steps": os.environ.get("E2E_STEPS") or "",
    }
    process = subprocess.Popen(
        [environment(), "-B", f"{HERE}/run.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True)
    process.stdin.write(json.dumps(told))
    process.stdin.close()
    for line in process.stdout:
        kind, _, text = line.rstrip("\n").partition("\t")
        if kind == "ok":
            report.check(True, text)
        elif kind == "no":
            report.violation(text)
        else:
            report.say(text or kind)
    code = process.wait(SECONDS_MAX)
    report.check(code == 0, "the browser's steps came to their end", f"exit code {code}")
    world.calm()
