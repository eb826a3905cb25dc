#!/usr/bin/env bash
# `make leak-check`: proves that the drivers leave nothing behind, whatever happens to them.
#
#   leak-check.sh [short]      LEAK_ITERATIONS=50
#
# The program Tests/LeakCheck puts both drivers through faults, on servers of its own. It runs four times:
#   1. it compares descriptors and heap after N iterations with those after 4 N;
#   2. the same, leaking on purpose, memory and descriptors: it must notice both;
#   3. under LeakSanitizer, which looks at its exit;
#   4. under LeakSanitizer, leaking on purpose: the sanitizer must notice.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deploy/scripts/servers.sh
. "$SCRIPTS/servers.sh"
cd "$ROOT"

LEAK_CHECK="$ROOT/.build/release/flotilla-leak-check"
case "${1:-long}" in
    short) iterations=${LEAK_ITERATIONS:-3} ;;
    long) iterations=${LEAK_ITERATIONS:-50} ;;
    *) fail "unknown word '$1': short, or nothing" ;;
esac

check() {
    "$LEAK_CHECK" --postgres "host=127.0.0.1 port=$POSTGRES_PORT user=postgres dbname=postgres" \
        --redis "redis://127.0.0.1:$REDIS_PORT" "$@"
}

# must_notice WHAT PATTERN CMD…: a leak on purpose that goes unnoticed means that the checks above prove nothing.
must_notice() {
    local what=$1 pattern=$2 status=0 output
    shift 2
    output=$("$@" 2>&1) || status=$?
    if [ "$status" -eq 0 ] || ! grep -q "$pattern" <<<"$output"; then
        tail -n 15 <<<"$output" >&2
        fail "$what was leaked on purpose, and nobody noticed (exit $status)"
    fi
    say "noticed, as it should be: $(grep -m 1 "$pattern" <<<"$output")"
}

sanitized() {
    # Nothing is suppressed: the runtime and the libraries are clean as well.
    local library
    library=$(lsan_library)
    LD_PRELOAD="$library" check --heap-unjudged "$@"
}

"$SCRIPTS/dependencies.sh" leaks
swift build -c release --product flotilla-leak-check
trap 'stop_servers $?' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
start_postgres
start_redis

say "--- growth, $iterations and $((4 * iterations)) iterations"
check --iterations "$iterations"
must_notice memory "the heap grew" check --warm-up 0 --iterations 2 --leak memory
must_notice "a descriptor" "descriptors grew" check --warm-up 0 --iterations 1 --leak descriptor

say "--- LeakSanitizer, $((4 * iterations)) iterations"
sanitized --warm-up 0 --iterations "$iterations"
must_notice memory "SUMMARY: LeakSanitizer" sanitized --warm-up 0 --iterations 1 --leak memory
say "leak check: nothing leaks"
