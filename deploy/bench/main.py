"""Measures the figures whose names begin with ONLY, beside their peers, and prints a line each. `make bench` calls it.

Called with the benchmark program and the folder for the results; deploy/scripts/bench.sh lists the variables.
"""

import argparse
import os
import signal
import sys
import time

import machine
import report
from bench import Bench
from errors import Stop
from registry import all_subjects, complete
from servers import Postgres
from settings import Settings


def chosen(only):
    subjects = [entry for entry in all_subjects() if entry.chosen(only)]
    if not subjects:
        known = ", ".join(figure.name for entry in all_subjects() for figure in entry.figures)
        raise Stop(f"ONLY={only}: no figure begins so; there are {known}")
    return subjects


def measure(bench, subjects):
    """Measures and prints; answers what is to be kept, and the disk as it was before and after each subject."""
    only, kept, probes = bench.settings.only, {}, [bench.disk()]
    for entry in subjects:
        chosen_figures = entry.chosen(only)
        bench.say(f"measuring {', '.join(figure.name for figure in chosen_figures)}")
        found = complete(entry, entry.measure(bench))
        for figure in chosen_figures:
            for result in found[figure]:
                kept[result.name] = report.entry(figure, result, None)
                if bench.settings.smoke:
                    print(f"smoke {result.name} works", flush=True)
                else:
                    print(report.line(result.name, kept[result.name]), flush=True)
        probes.append(bench.disk())
    return kept, probes


# A median of fewer says too little to be kept.
FEWEST_ROUNDS = 5


def run(settings, program, results, root):
    subjects = chosen(settings.only)
    started, load = time.monotonic(), machine.load_average()
    if machine.file_system(settings.folder)["type"] in ("tmpfs", "ramfs"):
        raise Stop(f"{settings.folder} is in memory, where nothing is durable: name a folder on a disk as BENCH_FOLDER")
    bench = Bench(settings, program)
    try:
        kept, probes = measure(bench, subjects)
        if settings.smoke:
            return
        if settings.rounds < FEWEST_ROUNDS:
            bench.say(f"not written: {settings.rounds} rounds; figures that are kept have {FEWEST_ROUNDS} at least")
            return
        databases = [server for server in bench.servers.values() if isinstance(server, Postgres)]
        date = machine.now()
        conditions = {
            "date": date, "commit": machine.commit(root), "rounds": settings.rounds, "seconds": settings.seconds,
            "took": time.monotonic() - started, "machine": machine.describe(settings.folder), "disk": probes,
            "load": [load, machine.load_average()], "versions": machine.versions(),
            "postgres": machine.durability(databases[0]) if databases else {},
        }
    finally:
        bench.close()
    everything = report.load(results)
    # What a figure had before, suffixes and all, goes; what this run did not measure stays.
    measured = {figure["figure"] for figure in kept.values()}
    everything["figures"] = {name: old for name, old in everything["figures"].items() if old["figure"] not in measured}
    for name, figure in kept.items():
        everything["figures"][name] = {**figure, "run": date}
    everything["runs"][date] = conditions
    report.save(results, everything)
    bench.say(f"written: {os.path.join(results, 'latest.md')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the executable flotilla-benchmarks")
    parser.add_argument("--results", required=True, help="the folder for latest.json and latest.md")
    parser.add_argument("--root", required=True, help="the repository")
    arguments = parser.parse_args()
    # The servers are stopped on the way out. SIGINT is ignored where a shell has put us into the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(Settings.read(), os.path.abspath(arguments.program), arguments.results, arguments.root)
    except Stop as stop:
        print(f"error: {stop}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
