"""docs/benchmarks: latest.json holds all, latest.md is made from it; a partial run replaces its own rows only."""

import json
import os
from statistics import median

HEAD = """# Figures

Made by `make bench`; do not edit. [README.md](README.md) says how to read and to repeat them.

`ratio` is ours / peer, from the medians of the rounds; the peer is the best of its settings. *spread* is the distance
of the slowest from the quickest round in per cent of the median, ours and the peer's.
"""


def entry(figure, result, run):
    """All that is kept about one result."""
    return {
        "figure": figure.name,
        "unit": figure.unit,
        "what": figure.what,
        "against": figure.against,
        "goal": str(figure.goal) if figure.goal else None,
        "reached": figure.goal.reached(result) if figure.goal else None,
        "less_is_better": figure.less_is_better,
        "ours": result.ours,
        "peer": result.peer,
        "peer_setting": result.best_peer,
        "ratio": result.ratio,
        "rounds": {"ours": result.values, **result.peers},
        "beside": result.beside,
        "run": run,
    }


def line(name, kept):
    """The line that a run prints."""
    if kept["peer"] is None:
        return f"figure {name} ours={short(kept['ours'])} unit={kept['unit']}"
    return (f"figure {name} ours={short(kept['ours'])} peer={short(kept['peer'])} ratio={kept['ratio']:.3f} "
            f"unit={kept['unit']}")


def short(value):
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def spread(values):
    if len(values) < 2 or not median(values):
        return "–"
    return f"{(max(values) - min(values)) / median(values) * 100:.0f} %"


def load(folder):
    try:
        with open(os.path.join(folder, "latest.json"), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {"figures": {}, "runs": {}}


def save(folder, kept):
    """Keeps only the runs to which a figure still points."""
    used = {figure["run"] for figure in kept["figures"].values()}
    kept["runs"] = {key: run for key, run in kept["runs"].items() if key in used}
    kept["figures"] = dict(sorted(kept["figures"].items()))
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "latest.json"), json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    write(os.path.join(folder, "latest.md"), page(kept))


def write(path, text):
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def page(kept):
    parts = [HEAD, figures_table(kept), conditions(kept), rounds(kept)]
    return "\n".join(parts)


def figures_table(kept):
    rows = ["| figure | ours | peer | unit | ratio | goal | reached | spread | run |",
            "|---|---|---|---|---|---|---|---|---|"]
    for name, figure in kept["figures"].items():
        peer, ratio, spreads = "–", "–", spread(figure["rounds"]["ours"])
        if figure["peer"] is not None:
            peer = f"{short(figure['peer'])} ({figure['peer_setting']})"
            ratio = f"{figure['ratio']:.2f}" + (" (less is better)" if figure["less_is_better"] else "")
            spreads += f", {spread(figure['rounds'][figure['peer_setting']])}"
        reached = {True: "yes", False: "**no**", None: "–"}[figure["reached"]]
        cells = [f"`{name}`", short(figure["ours"]), peer, figure["unit"], ratio, figure["goal"] or "–", reached,
                 spreads, figure["run"]]
        rows.append(f"| {' | '.join(cells)} |")
    rows += ["", "| figure | what | against |", "|---|---|---|"]
    told = set()
    for figure in kept["figures"].values():
        if figure["figure"] not in told:
            told.add(figure["figure"])
            rows.append(f"| `{figure['figure']}` | {figure['what']} | {figure['against'] or '–'} |")
    return "\n".join(rows) + "\n"


def conditions(kept):
    parts = []
    for key, run in sorted(kept["runs"].items()):
        machine, disk = run["machine"], run["disk"]
        parts += [
            f"## Run {key}", "",
            f"{run['date']}, commit {run['commit']}, {run['rounds']} rounds of {run['seconds']:g} s, "
            f"{run['took']:.0f} s in all.", "",
            f"- Machine: {machine['cores']} cores of {machine['cpu']}, {machine['memory']}, {machine['kernel']}, "
            f"{machine['system']}; {machine['disk']}.",
            "- Load average before and after: " + " and ".join(run["load"]) + "." + busy(run),
            "- Disk, 1 KiB and fdatasync, before and after each subject, syncs a second: "
            + ", ".join(f"{probe['syncs_per_s']:.0f}" for probe in disk) + ".",
            "- Versions: " + "; ".join(f"{name}: {text}" for name, text in run["versions"].items()) + ".",
            "- PostgreSQL: "
            + (", ".join(f"{name}={text}" for name, text in run["postgres"].items()) or "not used") + ".",
            "- Redis: no snapshots, no append-only file; it is a cache here.", ""]
    return "\n".join(parts)


def busy(run):
    """What a reader has to know when others used the machine meanwhile."""
    if float(run["load"][0]) < 0.25 * run["machine"]["cores"]:
        return ""
    return " **The machine was not quiet**: rates are too low on both sides, and the spread is wide."


def rounds(kept):
    parts = ["## Rounds", "", "In the order in which they ran; then medians of what was seen beside the figure:",
             "`server_us` and `cpu_us` are CPU time per operation of the servers and of the process that asks.", ""]
    for name, figure in kept["figures"].items():
        parts.append(f"- `{name}`, {figure['unit']}")
        for side, values in figure["rounds"].items():
            beside = figure["beside"].get(side, {})
            seen = "; " + ", ".join(f"{key} {value:.4g}" for key, value in beside.items()) if beside else ""
            parts.append(f"  - {side}: {', '.join(short(value) for value in values)}{seen}")
    return "\n".join(parts) + "\n"
