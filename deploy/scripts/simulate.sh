#!/usr/bin/env bash
# `make simulate` and `make simulate-twins`: builds, and runs simulated clusters (docs/simulation.md).
#
#   simulate.sh [ARGUMENTS FOR flotilla simulate…]
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
"$SCRIPTS/dependencies.sh" build
"$SCRIPTS/build.sh"
exec "$PROGRAM" simulate "$@"
