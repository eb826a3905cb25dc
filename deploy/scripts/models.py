"""Runs Spin on every variant that the heads of the models name; see models.sh.

A head has lines `right: DEFINES | PROPERTIES | words` (must hold, the whole state space searched), `live:` (the same
for the claims about progress, under weak fairness), `deep:` (the same with larger bounds, for MODELS_DEEP=1),
`broken:` and `brokenlive:` (must violate one of the properties). `-` is no define. Broken variants run with the small
bounds, breadth first, so their trail is a shortest one; FULL gives them the large bounds.
"""
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

LINE = re.compile(
    r"^(?: \* )?(right|deep|live|broken|brokenlive): ([A-Z0-9_= -]+) \| ([A-Za-z0-9 ]+) \| (.+)$", re.MULTILINE)
SECONDS_AT_MOST = 300
MEMORY_MIB = 4096
DEEP_SECONDS_AT_MOST = 3600
DEEP_MEMORY_MIB = 16384
DEPTH = 2_000_000
STORY_LINES = 40


@dataclasses.dataclass
class Variant:
    model: pathlib.Path
    kind: str
    defines: list
    properties: list
    words: str

    @property
    def name(self):
        return f"{self.model.stem} {' '.join(self.defines) or 'as designed'}"

    @property
    def is_broken(self):
        return self.kind.startswith("broken")

    @property
    def is_live(self):
        return self.kind.endswith("live")


def variants(model):
    head = model.read_text(encoding="utf-8").split("*/", 1)[0]
    found = []
    for kind, defines, properties, words in LINE.findall(head):
        found.append(Variant(model, kind, [d for d in defines.split() if d != "-"], properties.split(), words))
    if sum(v.kind == "right" for v in found) != 1 or not any(v.is_broken for v in found):
        sys.exit(f"error: the head of {model} must name one right variant and some broken ones")
    return found


def run(command, folder, seconds=60):
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds,
                              check=False, text=True, errors="replace")
    except subprocess.TimeoutExpired:
        return None, f"took more than {seconds} s"
    return done.returncode, done.stdout


def check(variant, work, short):
    """Answers whether the variant does what it must, the line to print, and the story of a counterexample."""
    folder = work / re.sub(r"[^a-z0-9]+", "-", f"{variant.kind} {variant.name}".lower())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    defines = [f"-D{d}" for d in variant.defines if d != "FULL"]
    if (short or variant.is_broken) and "FULL" not in variant.defines:
        defines.append("-DSHORT")
    is_deep = variant.kind == "deep"
    seconds, memory = (DEEP_SECONDS_AT_MOST, DEEP_MEMORY_MIB) if is_deep else (SECONDS_AT_MOST, MEMORY_MIB)
    started = time.monotonic()
    code, said = run(["spin", *defines, "-a", str(variant.model)], folder)
    if code != 0:
        return False, f"spin: {said.strip()}", None
    if variant.is_live:
        how, options = ["-DNFAIR=4", "-DCOLLAPSE"], ["-a", "-f"]
    else:
        how, options = ["-DSAFETY", "-DBFS" if variant.is_broken else "-DCOLLAPSE"], []
    # A broken variant is found in less time than a better compilation takes.
    level = "-O0" if variant.is_broken else "-O2"
    code, said = run(["gcc", level, "-w", *how, f"-DMEMLIM={memory}", "-o", "pan", "pan.c"], folder, 120)
    if code != 0:
        return False, f"gcc: {said.strip()[:500]}", None
    code, said = run(["./pan", *options, f"-m{DEPTH}", "-w22", "-n"], folder, seconds)
    (folder / "pan.out").write_text(said, encoding="utf-8")
    for left in ("pan", *(p.name for p in folder.glob("pan.[bcmhpt]"))):
        (folder / left).unlink(missing_ok=True)
    return judge(variant, folder, defines, said, time.monotonic() - started)


def judge(variant, folder, defines, said, seconds):
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"^ *([0-9.e+]+) states, stored", said, re.MULTILINE)
    count = f"{int(float(states.group(1))):,} states" if states else "no states"
    limits = [t for t in ("max search depth too small", "out of memory", "took more than") if t in said]
    if errors is None or limits:
        return False, f"not searched to the end: {limits or said.strip()[-300:]}", None
    if errors.group(1) == "0":
        if "Search not completed" in said:
            return False, "not searched to the end", None
        return not variant.is_broken, f"{count}, no error, {seconds:.1f} s", None
    violated = re.search(r"assertion violated \(?\(*([A-Za-z0-9_]+)", said)
    what = violated.group(1) if violated else "acceptance cycle" if "acceptance cycle" in said else "invalid end state"
    depth = re.search(r"at depth (\d+)", said)
    trail = next(folder.glob("*.trail"), None)
    story = []
    if trail:
        _, told = run(["spin", *defines, "-t", "-k", str(trail), "-T", "-B", str(variant.model)], folder)
        lines = [x.strip() for x in told.splitlines()]
        story = [x for x in lines if x and not x.startswith(("spin:", "Never claim", "ltl "))]
        (folder / "story.txt").write_text(
            "\n".join([variant.name, variant.words, f"violates {what}", "", *story]) + "\n", encoding="utf-8")
    wanted = what.split("_")[0] in variant.properties or (variant.is_live and what == "acceptance cycle")
    line = f"{what} violated after {depth.group(1) if depth else '?'} steps ({count}, {seconds:.1f} s)"
    return variant.is_broken and wanted, line, story


def main():
    models, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    short = os.environ.get("MODELS_SHORT", "") not in ("", "0")
    jobs = int(os.environ.get("MODELS_JOBS", min(2, os.cpu_count() or 1)))
    chosen = sys.argv[3:] or sorted(p.stem for p in models.glob("*.pml") if p.stem != "member")
    todo = []
    for name in chosen:
        if not (models / f"{name}.pml").is_file():
            sys.exit(f"error: there is no model '{name}' in {models}")
        todo += variants(models / f"{name}.pml")
    if os.environ.get("MODELS_DEEP", "") in ("", "0"):
        todo = [v for v in todo if v.kind != "deep"]
    todo.sort(key=lambda v: (v.is_broken, v.is_live))    # The long ones first.
    bounds = "small" if short else "full"
    print(f"{len(todo)} variants of {len(chosen)} models, {bounds} bounds, {jobs} at once", flush=True)
    started, failed = time.monotonic(), []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for variant, (good, line, story) in zip(todo, pool.map(lambda v: check(v, work, short), todo)):
            mark = ("caught" if variant.is_broken else "holds ") if good else "WRONG "
            print(f"{mark} {variant.name} [{' '.join(variant.properties)}]: {line}", flush=True)
            if variant.is_broken:
                print(f"         {variant.words}", flush=True)
            for told in (story or [])[:STORY_LINES]:
                print(f"           . {told}", flush=True)
            if not good:
                failed.append(variant.name)
    if failed:
        sys.exit(f"error: {len(failed)} variants did not do what they must: {'; '.join(failed)}")
    broken = sum(v.is_broken for v in todo)
    print(f"models: {len(todo) - broken} hold, {broken} broken variants caught, in {time.monotonic() - started:.0f} s; "
          f"stories in {work}")


main()
