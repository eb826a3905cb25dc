#!/usr/bin/env bash
# Copies the built program, with the Swift libraries that it loads, into one folder that runs where no toolchain is.
#
#   collect-program.sh FOLDER [PROGRAM]      PROGRAM: .build/release/flotilla unless told
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

folder=${1:?name the folder to fill}
program=${2:-$PROGRAM}
[ -x "$program" ] || fail "$program is not built yet: make build"
mkdir -p "$folder"
cp "$program" "$folder/flotilla"
strip --strip-debug "$folder/flotilla" 2>/dev/null || true
# Whatever comes from a Swift toolchain's folder; the C libraries come from packages. The program looks beside itself ($ORIGIN).
ldd "$program" | awk '$3 ~ /\/lib\/swift\/linux\// { print $3 }' | while read -r library; do
    cp -L "$library" "$folder/"
done
