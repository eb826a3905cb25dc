#!/usr/bin/env bash
# `make lint`: the formatter's rules as errors, shellcheck, and a syntax check of the Python programs. `make format` mends layout.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"
"$SCRIPTS/dependencies.sh" lint

failed=0
swift format lint --strict --parallel --recursive Sources Tests Package.swift || failed=1

mapfile -t shells < <(find deploy .ci -type f \( -name '*.sh' -o -path '.ci/run' \) | sort)
shellcheck --external-sources "${shells[@]}" || failed=1

mapfile -t pythons < <(find deploy -type f -name '*.py' | sort)
python3 - "${pythons[@]}" <<'CHECK' || failed=1
import ast, sys
wrong = 0
for path in sys.argv[1:]:
    try:
        text = open(path, encoding="utf-8").read()
        ast.parse(text, path)
    except SyntaxError as error:
        print(error, file=sys.stderr)
        wrong = 1
        continue
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 120:
            print(f"{path}:{number}: longer than 120 columns", file=sys.stderr)
            wrong = 1
sys.exit(wrong)
CHECK

[ "$failed" -eq 0 ] || fail "lint found something; the lines are above"
say "lint: nothing found (${#shells[@]} shell and ${#pythons[@]} Python files, and all of Swift)"
