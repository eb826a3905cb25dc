"""Uploaders race on the same names: the last one in the log is what is on disk."""

import os
import random
import threading
import time

from faults_part import kill
from trees import digest

SECONDS = int(os.environ.get("E2E_SECONDS") or 20)
NAMES = [f"race/{number}.bin" for number in range(3)]


def run(world):
    report = world.report
    report.say(f"--- race: four uploaders on {len(NAMES)} names for {SECONDS} s, workers killed meanwhile")
    over = threading.Event()
    sent = {name: set() for name in NAMES}
    acknowledged = []

    def upload(number):
        lots = random.Random(f"{world.seed} race {number}")
        source = os.path.join(world.files.scratch, f"race-{number}")
        while not over.is_set():
            with open(source, "wb") as file:
                file.write(lots.randbytes(lots.randint(1, 300_000)))
            name = lots.choice(NAMES)
            sent[name].add(digest(source))
            answer = world.files.at(world.direct(lots.randint(1, 5))).put(source, name)
            if answer.status not in (200, 201):
                report.violation(f"put {name}: {answer}")
            else:
                acknowledged.append(answer.json.get("transfer_id"))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(SECONDS // 5):
        time.sleep(5)
        kill(world.cluster.row(world.lots.choice(sorted(world.cluster.ready())))["pid"])
    over.set()
    for thread in threads:
        thread.join()
    world.calm()
    for name in NAMES:
        on_disk = digest(os.path.join(world.home, name))
        last = world.database.rows(
            f"select encode(digest, 'hex') from flotilla.transfer where convert_from(path, 'UTF8') = '{name}' "
            "and kind = 'upload' and status = 'completed' order by ended_at desc limit 1")[0][0]
        report.check(on_disk == last and on_disk in sent[name], f"{name} is the log's last upload", (on_disk, last))
    logged = {row[0] for row in world.database.rows("select id from flotilla.transfer where status = 'completed'")}
    missing = [id for id in acknowledged if id not in logged]
    report.check(not missing, f"all {len(acknowledged)} acknowledged uploads are in the log", missing[:3])
