"""Small accounts beside a big one: how long their jobs wait, against the same without the big one."""

from registry import Figure, Result, at_most, subject

NODES, SLOTS, WORK_MS = 5, 10, 5
ACCOUNTS, EACH, FLOOD = 50, 10, 1_000_000


@subject(
    Figure("fairness", "ms",
           f"how long {EACH} jobs each of {ACCOUNTS} accounts wait from commit to start, beside {FLOOD} jobs of "
           f"another account; {NODES} nodes of {SLOTS} slots, {WORK_MS} ms a job; the mean, and the 99th of 100",
           "the small ones alone", at_most(3), less_is_better=True),
)
def fairness(bench):
    server, redis = bench.postgres(), bench.redis()
    smoke = bench.settings.smoke
    waves = 3 if smoke else 20

    def side(flood):
        def run(_, name):
            server.sql(f"create database {name}", "checkpoint")
            try:
                return bench.load(
                    "job-fairness", "--nodes", NODES, "--capacity", SLOTS, "--work", WORK_MS, "--flood", flood,
                    "--accounts", ACCOUNTS, "--each", EACH, "--waves", waves, "--redis", redis.url, "--database",
                    server.to(name), server=server)
            finally:
                server.sql(f"drop database {name} with (force)")

        return run

    sides = {"ours": side(20_000 if smoke else FLOOD), "alone": side(0)}
    rounds = bench.rounds(sides)
    beside = bench.beside(rounds, sides)
    return [
        Result("fairness.mean", rounds.of("ours", "mean_ms"), {"alone": rounds.of("alone", "mean_ms")}, beside),
        Result("fairness.p99", rounds.of("ours", "p99_ms"), {"alone": rounds.of("alone", "p99_ms")}, {}),
    ]
