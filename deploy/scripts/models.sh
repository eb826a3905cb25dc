#!/usr/bin/env bash
# `make models`: checks the models in Tests/Models with Spin, and that each of their broken variants yields a counterexample.
#
#   models.sh [MODEL…]        names, leases, leader, joins, chains; all of them when none is named
#   MODELS_SHORT=1            smaller bounds for the right models (for CI)
#   MODELS_DEEP=1            also the variants with larger bounds: minutes each, up to 16 GiB
#   MODELS_JOBS=2             how many run at once; each may take up to 4 GiB
# The stories of the counterexamples are left in var/models.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$SCRIPTS/dependencies.sh" models
exec python3 "$SCRIPTS/models.py" "$ROOT/Tests/Models" "$ROOT/var/models" "$@"
