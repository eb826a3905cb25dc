"""Checks that compare what the cluster says with what lies on the mount."""

import os
import time

from trees import digest


def files_below(folder):
    found = []
    for path, _, names in os.walk(folder):
        found += [os.path.join(path, name) for name in names]
    return found


def staging_is_empty(mount, report, seconds=30):
    """Within `seconds`, staging holds no file: all of it was renamed or reclaimed by the nodes themselves."""
    folder = os.path.join(mount, ".flotilla", "staging")
    end = time.monotonic() + seconds
    while (left := files_below(folder)) and time.monotonic() < end:
        time.sleep(0.25)
    report.check(not left, "nothing is left in staging", f"{len(left)} files, such as {left[:3]}")


def completed_uploads(admin, account):
    """All completed uploads of an account: name to the transfers of that name, oldest first."""
    transfers = admin.pages("transfers", account=account, kind="upload", status="completed")
    uploads = {}
    for transfer in sorted(transfers, key=lambda t: (t.get("ended_at") or "", t["id"])):
        uploads.setdefault(transfer["path"].lstrip("/"), []).append(transfer)
    return uploads


def log_agrees_with_disk(admin, account, home, names, report, seconds=20):
    """Each file on disk has a logged upload of its digest and size, and each logged name is on disk.

    The log may lag behind the disk for a moment, so a difference counts when it is still there after `seconds`.
    """
    disk = {os.path.relpath(path, home): path for path in files_below(home)}
    report.check(set(disk) == set(names), "the disk holds exactly the files that were sent",
                 f"missing {sorted(set(names) - set(disk))[:3]}, too many {sorted(set(disk) - set(names))[:3]}")
    digests = {name: (os.path.getsize(path), digest(path)) for name, path in disk.items()}
    end = time.monotonic() + seconds
    while True:
        uploads = completed_uploads(admin, account)
        wrong = []
        for name, (size, sha256) in digests.items():
            logged = {(t["size"], t["sha256"]) for t in uploads.get(name, [])}
            if (size, sha256) not in logged:
                wrong.append(f"{name}: on disk {size} {sha256}, logged {logged or 'nothing'}")
        wrong += [f"{name}: logged and not on disk" for name in uploads if name not in digests]
        if not wrong or time.monotonic() > end:
            break
        time.sleep(0.5)
    entries = sum(len(transfers) for transfers in uploads.values())
    report.check(not wrong, f"the transfer log ({entries} uploads) agrees with the disk ({len(digests)} files)",
                 f"{len(wrong)} differences, such as {wrong[:3]}")
    return uploads


def nodes_by_name(admin):
    """The nodes by their names; where a name was used twice, its latest incarnation."""
    nodes = sorted(admin.nodes(), key=lambda node: node["incarnation"])
    return {node["name"]: node for node in nodes}
