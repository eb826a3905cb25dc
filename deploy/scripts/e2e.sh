#!/usr/bin/env bash
# `make e2e`: real files through a real cluster, one worker killed, one paused. deploy/e2e/README.md says what is checked.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
groups=(e2e)
case ",${E2E_PARTS:-usual}," in *,gluster,* | *,badmount,* | *,all,*) groups+=(mounts) ;; esac
case ",${E2E_PARTS:-usual}," in *,powercut,* | *,all,*) groups+=(cuts) ;; esac
"$SCRIPTS/dependencies.sh" --user "${groups[@]}"
"$SCRIPTS/build.sh"
exec python3 -B deploy/e2e/main.py --program "$PROGRAM" "$@"
