"""How fast the disk syncs right now: the condition under which every durable figure stands."""

import os
import time


def probe(folder, seconds=0.5):
    """Appends 1 KiB and syncs, again and again; answers syncs a second and the median of one, in ms."""
    path = os.path.join(folder, "disk-probe")
    block = os.urandom(1024)
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        end = time.monotonic() + seconds
        while not times or time.monotonic() < end:
            started = time.monotonic()
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            times.append(time.monotonic() - started)
    finally:
        os.close(descriptor)
        os.unlink(path)
    times.sort()
    return {"syncs_per_s": len(times) / sum(times), "median_ms": times[len(times) // 2] * 1000}
