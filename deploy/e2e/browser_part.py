"""The page for people in a real browser, with workers killed under it. The steps are in the folder browser."""

import json
import os
import secrets
import subprocess

import environment

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
ACCOUNT = "browser"
SECONDS_MAX = 900


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
    python = environment.python(f"{HERE}/requirements.txt")
    process = subprocess.Popen(
        [python, "-B", f"{HERE}/run.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
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
