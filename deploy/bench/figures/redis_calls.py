"""GET and SET of 64 tasks beside redis-benchmark with 50 clients, neither asking for pipelining."""

from errors import Stop
from peers import redis_benchmark
from registry import Figure, Result, at_least, subject

KEYS = 10_000
SIZE = 64
FILL = "for i = 0, ARGV[1] - 1 do redis.call('SET', ARGV[2] .. string.format('%012d', i), ARGV[3]) end"


def measure(bench, name, load, command):
    server = bench.redis()
    value = "x" * SIZE
    # redis-benchmark counts requests, not seconds.
    quick = redis_benchmark(server, 5_000, 50, KEYS, "SET", "probe:__rand_int__", value)["rate"]

    def fill(round_name):
        server.command("FLUSHALL")
        server.command("EVAL", FILL, "0", str(KEYS), f"{round_name}:", value)
        server.command("CONFIG", "RESETSTAT")

    def ours(seconds, round_name):
        fill(round_name)
        return checked(bench.load(
            load, "--tasks", 64, "--redis", server.url, "--prefix", f"{round_name}:", "--keys", KEYS, "--size", SIZE,
            seconds=seconds, server=server))

    def peer(seconds, round_name):
        fill(round_name)
        return checked(redis_benchmark(
            server, max(2_000, int(quick * seconds)), 50, KEYS, *command(f"{round_name}:__rand_int__", value)))

    def checked(sample):
        facts = dict(line.split(":", 1) for line in server.command("INFO", "stats").splitlines() if ":" in line)
        if int(facts["keyspace_misses"]) > 0 or int(facts["total_error_replies"]) > 0:
            raise Stop(
                f"{name}: the server counted {facts['keyspace_misses']} misses, {facts['total_error_replies']} errors")
        return sample

    sides = {"ours": ours, "redis-benchmark c50": peer}
    rounds = bench.rounds(sides)
    return [Result(name, rounds.of("ours", "rate"), {"redis-benchmark c50": rounds.of("redis-benchmark c50", "rate")},
                   bench.beside(rounds, sides))]


@subject(Figure("redis.get.64tasks", "calls/s", f"GET by 64 tasks, values of {SIZE} bytes, {KEYS} keys",
                "redis-benchmark -c 50 -P 1, the same keys and values", at_least(1.5)))
def gets(bench):
    return measure(bench, "redis.get.64tasks", "redis-get", lambda key, value: ("GET", key))


@subject(Figure("redis.set.64tasks", "calls/s", f"SET by 64 tasks, values of {SIZE} bytes, {KEYS} keys",
                "redis-benchmark -c 50 -P 1, the same keys and values", at_least(1.5)))
def sets(bench):
    return measure(bench, "redis.set.64tasks", "redis-set", lambda key, value: ("SET", key, value))
