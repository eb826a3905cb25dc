#!/usr/bin/env bash
# `make bench`: our loads beside their peers, in alternating rounds on servers of this run's own, into docs/benchmarks.
#
#   ONLY=pg.read      only the figures whose names begin so; the others keep their rows
#   BENCH_ROUNDS=5    rounds; BENCH_SECONDS=3: how long each side has in a round
#   BENCH_SMOKE=1     one short round: proves that everything works, judges and writes nothing
#   BENCH_SCALE=10    size of pgbench's tables, in 100,000 rows
#   BENCH_FOLDER=…    where the servers' data lies, on the disk to be measured (else TMPDIR, else /tmp)
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
"$SCRIPTS/dependencies.sh" --user bench
swift build -c release --product flotilla >&2
swift build -c release --product flotilla-benchmarks >&2
exec python3 -B deploy/bench/main.py --program "$ROOT/.build/release/flotilla-benchmarks" \
    --results "$ROOT/docs/benchmarks" --root "$ROOT"
