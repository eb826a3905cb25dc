"""How long the others need for a worker that was killed or stopped while it took a file."""

import os
import signal
import statistics
import threading
import time

from faults_part import kill
from report import wait_for

KILLS, STOPS = 20, 5


def run(world):
    world.report.say(f"--- takeover: {KILLS} workers killed and {STOPS} stopped while they take a file")
    source = os.path.join(world.files.scratch, "taken-over")
    with open(source, "wb") as file:
        file.write(os.urandom(4_000_000))
    show(world, "kill -9", [one(world, source, turn, signal.SIGKILL) for turn in range(KILLS)])
    show(world, "stop", [one(world, source, turn, signal.SIGSTOP) for turn in range(STOPS)])
    world.calm()


def one(world, source, turn, number):
    """Seconds from the signal to the committed death, and to the end of the clearing."""
    world.cluster.wait(5, 60)
    time.sleep(5.5)  # Who accuses must have lived for the slow window.
    name = f"worker-{turn % 5 + 1}"
    row = world.cluster.row(name)
    incarnation = world.incarnations()[name]
    files = world.files.at(world.direct(turn % 5 + 1))
    thread = threading.Thread(target=lambda: files.put(source, f"taken/{turn}", retry=False, rate=1_000_000))
    thread.start()
    time.sleep(0.6 + world.lots.random() / 2)
    struck = time.time()
    kill(row["pid"], number)

    def cleared():
        rows = world.database.rows(
            "select extract(epoch from died_at), extract(epoch from swept_at), reason from flotilla.departed "
            f"where incarnation = {incarnation} and swept_at is not null")
        return rows[0] if rows else None

    died, swept, _ = wait_for(60, f"{name} to be cleared", cleared)
    if number == signal.SIGSTOP:
        kill(row["pid"], signal.SIGCONT)
    thread.join()
    return float(died) - struck, float(swept) - struck


def show(world, what, times):
    for part, values in (("declared dead", [t[0] for t in times]), ("cleared", [t[1] for t in times])):
        values.sort()
        median = statistics.median(values)
        world.report.say(f"{what} to {part}: median {median:.2f} s, least {values[0]:.2f}, most {values[-1]:.2f}; "
                         + " ".join(f"{value:.2f}" for value in values))
