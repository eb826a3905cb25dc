"""Rows into a table by COPY, beside psql's \\copy of the same rows."""

import os
import re

from errors import Stop
from processes import run
from registry import Figure, Result, at_least, subject

COLUMNS = "(id int8, account text, amount int4, note text)"


def write_rows(path, count):
    """The rows that the load pg-copy makes, in COPY's text format."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(count):
            file.write(f"{number}\taccount-{number % 1000}\t{number * 7919 % 100_000}\t"
                       f"transfer {number} of a partner's file, in good order\n")


@subject(Figure("pg.copy", "rows/s", "rows of four typed columns into an empty table by COPY, durable",
                "psql \\copy of a file with the same rows, by its own \\timing", at_least(1.0)))
def copies(bench):
    server = bench.postgres()
    count = max(10_000, int(200_000 * bench.settings.seconds))
    path = os.path.join(bench.folder, "rows.tsv")
    write_rows(path, count)
    sums = set()

    def in_fresh_table(name, copy):
        server.sql(f"CREATE TABLE copied_{name} {COLUMNS}", "CHECKPOINT")
        before = server.cpu()
        sample = copy(f"copied_{name}")
        sample["server_us"] = (server.cpu() - before) * 1e6 / count
        # Both sides must have stored the same rows, all of them.
        sums.add(tuple(server.sql(f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM copied_{name} AS t")[0]))
        server.sql(f"DROP TABLE copied_{name}")
        if len(sums) != 1 or next(iter(sums))[0] != str(count):
            raise Stop(f"pg.copy: {count} rows were copied, and the tables held (count, digest) {sorted(sums)}")
        return sample

    def ours(_, name):
        return in_fresh_table(name, lambda table: bench.load(
            "pg-copy", "--database", server.connection, "--table", table, "--rows", count))

    def psql(_, name):
        def copy(table):
            words = ["-v", "ON_ERROR_STOP=1", "-X", "-d", server.connection]
            words += ["-c", "\\timing on", "-c", f"\\copy {table} from '{path}'"]
            done = run([f"{server.bin}/psql", *words], "psql \\copy", 120)
            found = re.search(r"COPY (\d+)\s+Time: ([\d.]+) ms", done.output)
            if not found or int(found.group(1)) != count:
                raise Stop(f"psql \\copy: {done.output[-200:]}")
            return {"rate": count / float(found.group(2)) * 1000, "cpu_us": done.cpu_seconds * 1e6 / count}
        return in_fresh_table(name, copy)

    sides = {"ours": ours, "psql": psql}
    rounds = bench.rounds(sides)
    return [Result(
        "pg.copy", rounds.of("ours", "rate"), {"psql": rounds.of("psql", "rate")}, bench.beside(rounds, sides))]
