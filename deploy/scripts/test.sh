#!/usr/bin/env bash
# `make test`: installs what the tests need, starts a PostgreSQL and a Redis of their own on free ports, runs the tests, stops both.
#
#   test.sh [ARGUMENTS FOR swift test…]      FILTER=Name runs only the tests whose name matches
#
# A caller that already has servers sets FLOTILLA_TEST_POSTGRES and FLOTILLA_TEST_REDIS; then none are started.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deploy/scripts/servers.sh
. "$SCRIPTS/servers.sh"
cd "$ROOT"

"$SCRIPTS/dependencies.sh" test
swift build -c release --build-tests

if [ -z "${FLOTILLA_TEST_POSTGRES:-}" ] || [ -z "${FLOTILLA_TEST_REDIS:-}" ]; then
    trap 'stop_servers $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start_postgres
    start_redis
    export FLOTILLA_TEST_POSTGRES="host=127.0.0.1 port=$POSTGRES_PORT user=postgres dbname=postgres"
    export FLOTILLA_TEST_REDIS="redis://127.0.0.1:$REDIS_PORT"
fi

arguments=(-c release --skip-build --no-parallel)
[ -z "${FILTER:-}" ] || arguments+=(--filter "$FILTER")
swift test "${arguments[@]}" "$@"
