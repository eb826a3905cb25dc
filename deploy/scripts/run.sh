#!/usr/bin/env bash
# `make run`: installs what is missing, builds, and becomes a standalone node on its embedded PostgreSQL.
#
#   run.sh [ARGUMENTS FOR flotilla serve…]
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
"$SCRIPTS/dependencies.sh" --user run
"$SCRIPTS/build.sh"
exec "$PROGRAM" serve "$@"
