"""What the environment says about a run."""

import os
from dataclasses import dataclass

from errors import Stop


def number(name, standard, kind, least):
    text = os.environ.get(name) or str(standard)
    try:
        value = kind(text)
    except ValueError:
        raise Stop(f"{name}={text}: write a number") from None
    if value < least:
        raise Stop(f"{name}={text}: at least {least}")
    return value


@dataclass(frozen=True)
class Settings:
    only: str
    rounds: int
    seconds: float
    smoke: bool
    scale: int
    folder: str
    # How long job.pressure lasts.
    pressure: float

    @staticmethod
    def read():
        smoke = os.environ.get("BENCH_SMOKE", "0") not in ("", "0")
        return Settings(
            only=os.environ.get("ONLY", ""),
            rounds=number("BENCH_ROUNDS", 1 if smoke else 5, int, 1),
            seconds=number("BENCH_SECONDS", 0.3 if smoke else 3, float, 0.05),
            smoke=smoke,
            scale=number("BENCH_SCALE", 1 if smoke else 10, int, 1),
            pressure=number("BENCH_PRESSURE", 6 if smoke else 600, float, 2),
            folder=os.environ.get("BENCH_FOLDER") or os.environ.get("TMPDIR") or "/tmp",
        )
