"""How fast the simulator is: simulated hours of 20 nodes in a minute of one core, seed by seed."""

import re
from statistics import median

from errors import Stop
from processes import run
from registry import Figure, Result, ours_at_least, subject

NODES, SEEDS, MINUTES = 20, 40, 60


@subject(
    Figure("simulate.speed", "hours/min",
           f"simulated hours of {NODES} nodes with all kinds of faults in a minute of one core: the median of {SEEDS} "
           f"seeds, {MINUTES} simulated minutes each", goal=ours_at_least(100)),
    Figure("simulate.speed.worst", "hours/min", "the slowest of the same seeds"),
    Figure("simulate.speed.all", "hours/min", "all of the same seeds together: hours in all by time in all"),
)
def speed(bench):
    seeds, minutes = (3, 4) if bench.settings.smoke else (SEEDS, MINUTES)
    speeds = {seed: one(bench, seed, minutes) for seed in range(1, seeds + 1)}
    values = list(speeds.values())
    worst = min(speeds, key=speeds.get)
    bench.say(f"  {seeds} seeds: median {median(values):.0f}, worst {speeds[worst]:.0f} (seed {worst}), "
              f"best {max(values):.0f}")
    beside = {"ours": {"worst_seed": worst, "best": max(values)}}
    return [
        Result("simulate.speed", values, beside=beside),
        Result("simulate.speed.worst", [speeds[worst]]),
        # As many hours of each seed, so the whole is the harmonic mean.
        Result("simulate.speed.all", [len(values) / sum(1 / value for value in values)]),
    ]


def one(bench, seed, minutes):
    done = run([bench.flotilla, "simulate", "--seed", str(seed), "--nodes", str(NODES), "--minutes", str(minutes)],
               f"flotilla simulate --seed {seed}", 300)
    found = re.search(r"simulated hours per minute of one core: ([\d.]+)", done.output)
    if not found:
        raise Stop(f"flotilla simulate --seed {seed} said nothing of its speed: {done.output[-300:]}")
    # By the time that the process computed, so that others on the machine take little away.
    return float(found.group(1))
