#!/usr/bin/env bash
# `make cluster WORKERS=5`: PostgreSQL, Redis, workers and HAProxy on loopback, without containers, until Ctrl-C.
#
#   cluster.sh WORKERS [ARGUMENTS FOR flotilla cluster up…]
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
workers=${1:-5}
shift || true
"$SCRIPTS/dependencies.sh" --user cluster
"$SCRIPTS/build.sh"
exec "$PROGRAM" cluster up --workers "$workers" "$@"
