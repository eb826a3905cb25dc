"""Running programs to their end: with their CPU time, a deadline, and errors that name them."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

from errors import Stop


@dataclass(frozen=True)
class Finished:
    output: str
    seconds: float
    # User and system time of the process and the children it waited for.
    cpu_seconds: float


def pinned(arguments, cores):
    """The command on the given cores only; unchanged for None."""
    return arguments if cores is None else ["taskset", "--cpu-list", cores, *arguments]


def run(arguments, what, deadline, cores=None, environment=None):
    """Runs a program to its end. Raises Stop, with its last words, when it fails or takes too long."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                pinned(arguments, cores), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                env={**os.environ, **(environment or {})}, start_new_session=True)
        except OSError as error:
            raise Stop(f"{what}: {error}") from None
        late = threading.Event()
        timer = threading.Timer(deadline, lambda: (late.set(), kill_group(process.pid)))
        timer.start()
        try:
            output = process.stdout.read().decode(errors="replace")
            _, status, usage = os.wait4(process.pid, 0)
            # Popen must not wait for a process that is gone.
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            timer.cancel()
            process.stdout.close()
            if process.returncode is None:
                kill_group(process.pid)
                process.wait()
        errors.seek(0)
        last = " | ".join(errors.read().decode(errors="replace").strip().splitlines()[-5:])
    if late.is_set():
        raise Stop(f"{what} did not end within {deadline:.0f} s and was stopped: {last}")
    if process.returncode != 0:
        raise Stop(f"{what} ended with {process.returncode}: {last or output[-500:]}")
    return Finished(output, time.monotonic() - started, usage.ru_utime + usage.ru_stime)


def kill_group(pid):
    """Ends a process that was started here as the leader of a session, with its children."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def stop(process, number, seconds, what):
    """Asks a child by the signal, then insists; answers whether it went by itself."""
    if process.poll() is not None:
        return True
    process.send_signal(number)
    try:
        process.wait(seconds)
        return True
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        print(f"{what} did not stop within {seconds} s and was killed", flush=True)
        return False


TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process and of all its children, those that ended included."""
    total = 0
    for entry in [str(pid), *children(pid)]:
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue  # It ended meanwhile, and is in its parent's sum now.
        # utime stime; and cutime cstime of the parent.
        total += sum(int(field) for field in fields[11:15 if entry == str(pid) else 13])
    return total / TICK


def children(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                found += file.read().split()
        except OSError:
            continue
    return found
