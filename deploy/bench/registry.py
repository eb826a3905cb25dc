"""The figures: what each compares, in which unit, and what is to be reached. A file of figures/ adds its own.

    @subject(Figure("pg.copy", "rows/s", "…", against="psql \\\\copy", goal=at_least(1.0)))
    def copy(bench):
        rounds = bench.rounds({"ours": …, "psql": …})
        return [Result("pg.copy", rounds.of("ours", "rate"), {"psql": rounds.of("psql", "rate")})]

A side is a function of (seconds, name): it runs one round under a name that no other round has, and answers a
dictionary of numbers. A result whose name is a figure's with a suffix (`get.1MiB.c16`) belongs to that figure; the
figure itself is the worst of them then.
"""

import importlib
import pkgutil
from dataclasses import dataclass, field
from statistics import median

from errors import Stop


@dataclass(frozen=True)
class Goal:
    """`of` is `ratio` (ours / peer) or `ours`; `word` is `at least` or `at most`."""

    of: str
    word: str
    bound: float

    def reached(self, result):
        value = result.ratio if self.of == "ratio" else result.ours
        return value >= self.bound if self.word == "at least" else value <= self.bound

    def __str__(self):
        return f"{self.of} {self.word} {self.bound:g}"


def at_least(ratio):
    return Goal("ratio", "at least", ratio)


def at_most(ratio):
    return Goal("ratio", "at most", ratio)


def ours_at_least(value):
    return Goal("ours", "at least", value)


def ours_at_most(value):
    return Goal("ours", "at most", value)


@dataclass(frozen=True)
class Figure:
    name: str
    unit: str
    what: str
    against: str | None = None
    goal: Goal | None = None
    # For times, sizes and costs: the best peer is the lowest, and so is the best ratio.
    less_is_better: bool = False


@dataclass
class Result:
    """Values of all rounds, ours and those of each setting of the peers; the best peer counts."""

    name: str
    values: list
    peers: dict = field(default_factory=dict)
    # What else a reader should know, by name: latencies, CPU time of the servers.
    beside: dict = field(default_factory=dict)
    less_is_better: bool = False

    @property
    def ours(self):
        return median(self.values)

    @property
    def best_peer(self):
        if not self.peers:
            return None
        pick = min if self.less_is_better else max
        return pick(self.peers, key=lambda label: median(self.peers[label]))

    @property
    def peer(self):
        return median(self.peers[self.best_peer]) if self.peers else None

    @property
    def ratio(self):
        return self.ours / self.peer if self.peers else None

    @property
    def merit(self):
        """Higher is better, whatever the figure."""
        value = self.ratio if self.peers else self.ours
        return -value if self.less_is_better else value


@dataclass(frozen=True)
class Subject:
    figures: tuple
    measure: object

    def chosen(self, only):
        """Those whose names begin so; all suffixes of a figure when one of them is asked for."""
        return [figure for figure in self.figures
                if figure.name.startswith(only) or only.startswith(figure.name + ".")]


SUBJECTS = []


def subject(*figures):
    """Registers a function that measures these figures and answers their results."""

    def register(measure):
        SUBJECTS.append(Subject(figures, measure))
        return measure

    return register


def all_subjects():
    import figures  # pylint: disable=import-outside-toplevel

    if not SUBJECTS:
        for module in sorted(entry.name for entry in pkgutil.iter_modules(figures.__path__)):
            importlib.import_module(f"figures.{module}")
    names = [figure.name for entry in SUBJECTS for figure in entry.figures]
    if len(names) != len(set(names)):
        raise Stop(f"a figure is registered twice: {sorted(names)}")
    return SUBJECTS


def complete(entry, results):
    """The results by figure, the bare name first; every figure of the subject must have got one."""
    found = {}
    for figure in entry.figures:
        own = [result for result in results if belongs(result.name, figure.name, entry.figures)]
        if not own:
            raise Stop(f"{figure.name}: the measurement brought no result")
        for result in own:
            result.less_is_better = figure.less_is_better
            values = [*result.values, *(value for rounds in result.peers.values() for value in rounds)]
            if not values or any(value is None for value in values) or not all_sane(result, figure):
                raise Stop(f"{result.name}: a round brought no number above zero: {result.values} {result.peers}")
        if all(result.name != figure.name for result in own):
            worst = min(own, key=lambda result: result.merit)
            own.insert(0, Result(figure.name, worst.values, worst.peers, worst.beside, figure.less_is_better))
        found[figure] = own
    return found


def all_sane(result, figure):
    # Nothing counted is a fine answer where little is wanted, and never one for a peer.
    least = 0 if figure.less_is_better and not result.peers else 1e-12
    return all(value >= least for value in result.values) and all(
        value > 0 for rounds in result.peers.values() for value in rounds)


def belongs(name, figure, figures):
    """Whether no longer figure's name begins the result's: `a.b.c` is no suffix of `a.b` where it is a figure."""
    fitting = [entry.name for entry in figures if name == entry.name or name.startswith(entry.name + ".")]
    return bool(fitting) and max(fitting, key=len) == figure
