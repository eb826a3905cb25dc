#!/usr/bin/env bash
# `make build`: the one program, in its one configuration. What is tested is what ships, so nothing is ever built as debug.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
swift build -c release --product flotilla
