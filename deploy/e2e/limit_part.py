"""Twenty workers on this machine, and one more that is refused."""

import os
import re
import time

import checks
from report import Stop
from servers import first_port, free_port

LIMIT = 20


def run(cluster, admin, report, program, folder):
    started = time.monotonic()
    code, output = cluster.scale(LIMIT)
    report.check(code == 0, f"cluster scale {LIMIT}", output[-300:])
    try:
        cluster.wait(LIMIT, 120)
    except Stop as error:
        report.violation(str(error))
        return
    report.say(f"{LIMIT} workers are ready after {time.monotonic() - started:.1f} s")
    nodes = checks.nodes_by_name(admin)
    active = [name for name, node in nodes.items() if node["status"] == "active"]
    report.check(len(active) == LIMIT, f"/api/v1/nodes lists {LIMIT} active nodes", sorted(nodes))

    code, table = program.run(["nodes", "--admin", admin.url, "--token", admin.token])
    listed = [name for name in nodes if re.search(rf"\b{re.escape(name)}\b", table)]
    report.check(code == 0 and len(listed) == LIMIT, f"`flotilla nodes` lists {LIMIT}", table[-500:])

    refuse_one_more(cluster, program, folder, report)
    code, output = cluster.scale(3)
    report.check(code == 0, "cluster scale 3", output[-300:])
    try:
        cluster.wait(3, 120)
    except Stop as error:
        report.violation(str(error))


def refuse_one_more(cluster, program, folder, report):
    port = free_port(first_port() + 1000)
    started = time.monotonic()
    code, output = program.run([
        "serve", *cluster.options("--database-url", "--redis-url", "--mount"), "--name", "one-too-many",
        "--data", os.path.join(folder, "one-too-many"), "--files-port", str(port),
        "--admin-port", str(free_port(port + 1))])
    lines = [line for line in output.splitlines() if str(LIMIT) in line]
    report.check(code not in (0, None) and lines, f"the 21st is refused in {time.monotonic() - started:.1f} s "
                 f"with exit code {code}: {lines[-1] if lines else ''}", output[-500:])
