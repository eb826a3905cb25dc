"""One process of a peer: a queue on PostgreSQL from PyPI, by its own documentation. Runs in the peers' environment.

    worker.py QUEUE prepare               makes its tables
    worker.py QUEUE fill COUNT            enqueues no-op jobs, as many at a time as it can
    worker.py QUEUE single TASKS SECONDS  enqueues one at a time from so many tasks; prints jobs and seconds
    worker.py QUEUE work CONCURRENCY      does no-op jobs until it is killed; prints count, first, last, in seconds of
                                          the monotonic clock, ten times a second

DATABASE names the database, as a URI.
"""

import asyncio
import logging
import os
import sys
import threading
import time
from datetime import timedelta

URI = os.environ["DATABASE"]
CHUNK = 1000


class Count:
    """Jobs done; a thread says how many, so that nothing waits for the event loop."""

    def __init__(self):
        self.jobs, self.first, self.last = 0, 0.0, 0.0

    def add(self):
        self.last = time.monotonic()
        if self.jobs == 0:
            self.first = self.last
        self.jobs += 1

    def say(self):
        while True:
            time.sleep(0.1)
            print(self.jobs, f"{self.first:.4f}", f"{self.last:.4f}", flush=True)


COUNT = Count()


def chunks(count):
    for start in range(0, count, CHUNK):
        yield min(CHUNK, count - start)


class PgQueuer:
    """Takes batches of the size of its concurrency."""

    async def connection(self):
        import asyncpg

        return await asyncpg.connect(URI)

    async def queries(self):
        from pgqueuer.db import AsyncpgDriver
        from pgqueuer.queries import Queries

        return Queries(AsyncpgDriver(await self.connection()))

    async def prepare(self):
        await (await self.queries()).install()

    async def fill(self, count):
        queries = await self.queries()
        for size in chunks(count):
            await queries.enqueue(["noop"] * size, [b"{}"] * size, [0] * size)

    async def single(self, tasks):
        import asyncpg
        from pgqueuer.db import AsyncpgPoolDriver
        from pgqueuer.queries import Queries

        # As many connections as help: more were slower here.
        queries = Queries(AsyncpgPoolDriver(await asyncpg.create_pool(URI, min_size=16, max_size=16)))
        return lambda: queries.enqueue("noop", b"{}")

    async def work(self, concurrency):
        from pgqueuer import PgQueuer as Program
        from pgqueuer.db import AsyncpgDriver

        program = Program(AsyncpgDriver(await self.connection()))

        @program.entrypoint("noop")
        async def noop(_job):
            COUNT.add()

        await program.run(dequeue_timeout=timedelta(seconds=1), batch_size=concurrency)


class Procrastinate:
    def __init__(self):
        import procrastinate

        self.app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URI, min_size=4, max_size=100))

        @self.app.task(name="noop")
        async def noop():
            COUNT.add()

        self.noop = noop

    async def prepare(self):
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def fill(self, count):
        async with self.app.open_async():
            for size in chunks(count):
                await self.noop.batch_defer_async(*[{} for _ in range(size)])

    async def single(self, tasks):
        await self.app.open_async()
        return self.noop.defer_async

    async def work(self, concurrency):
        async with self.app.open_async():
            await self.app.run_worker_async(concurrency=concurrency, wait=True, install_signal_handlers=False)


class Chancy:
    def __init__(self):
        import chancy_job
        from chancy import Chancy as Program

        self.program = Program
        self.noop = chancy_job.noop
        chancy_job.done = COUNT.add

    async def prepare(self):
        async with self.program(URI) as program:
            await program.migrate()

    async def fill(self, count):
        async with self.program(URI) as program:
            for size in chunks(count):
                async for _ in program.push_many([self.noop.job] * size):
                    pass

    async def single(self, tasks):
        program = self.program(URI, min_connection_pool_size=16, max_connection_pool_size=16)
        await program.__aenter__()
        return lambda: program.push(self.noop.job)

    async def work(self, concurrency):
        from chancy import Queue, Worker

        async with self.program(URI) as program:
            await program.declare(
                Queue("default", concurrency=concurrency, executor=self.program.Executor.Async, polling_interval=1,
                      eager_polling=True), upsert=True)
            async with Worker(program, register_signal_handlers=False) as worker:
                await worker.wait_for_shutdown()


QUEUES = {"pgqueuer": PgQueuer, "procrastinate": Procrastinate, "chancy": Chancy}


async def enqueue_singly(queue, tasks, seconds):
    enqueue = await queue.single(tasks)
    end = time.monotonic() + seconds
    done = 0

    async def one():
        nonlocal done
        while time.monotonic() < end:
            await enqueue()
            done += 1

    started = time.monotonic()
    await asyncio.gather(*(one() for _ in range(tasks)))
    print(done, time.monotonic() - started, flush=True)


async def main():
    queue = QUEUES[sys.argv[1]]()
    role, *numbers = sys.argv[2:]
    if role == "prepare":
        await queue.prepare()
    elif role == "fill":
        await queue.fill(int(numbers[0]))
    elif role == "single":
        await enqueue_singly(queue, int(numbers[0]), float(numbers[1]))
        os._exit(0)
    else:
        threading.Thread(target=COUNT.say, daemon=True).start()
        await queue.work(int(numbers[0]))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    try:
        import uvloop

        uvloop.run(main())
    except ImportError:
        asyncio.run(main())
