# shellcheck shell=bash
# What the scripts share: where the repository is, how to speak, how to become root, free ports, waiting.

set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# shellcheck disable=SC2034  # used by the scripts that read this file
SCRIPTS="$ROOT/deploy/scripts"
# shellcheck disable=SC2034
PROGRAM="$ROOT/.build/release/flotilla"

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# as_root CMD…: runs it as root, through passwordless sudo where that is needed.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        fail "this needs root: $* (run it as root, or allow passwordless sudo for $(id -un))"
    fi
}

# postgres_bin: the folder of the newest installed PostgreSQL server.
postgres_bin() {
    local initdb
    initdb=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
    [ -n "$initdb" ] || return 1
    dirname "$initdb"
}

# lsan_library: the sanitizer that can be preloaded into a program built without it.
lsan_library() {
    local library
    library=$(find /usr/lib /usr/lib64 -maxdepth 3 -name 'liblsan.so.0' 2>/dev/null | sort | head -n 1)
    [ -n "$library" ] || return 1
    printf '%s\n' "$library"
}

# free_port: a port of loopback on which nothing listens, below the range that outgoing connections use.
free_port() {
    local port tries
    for tries in $(seq 200); do
        port=$((20000 + (RANDOM * 32768 + RANDOM + tries) % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            printf '%s\n' "$port"
            return 0
        fi
    done
    fail "no free port between 20000 and 31999 after 200 tries"
}

# wait_until SECONDS WHAT CMD…: tries CMD until it succeeds; a clear line when it does not in time.
wait_until() {
    local seconds=$1 what=$2 end
    shift 2
    end=$((SECONDS + seconds))
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            warn "waited $seconds s in vain for: $what"
            return 1
        fi
        sleep 0.2
    done
}

# stop_process PID [SECONDS]: asks it to stop, then insists; only for processes that the caller started.
stop_process() {
    local pid=$1 end=$((SECONDS + ${2:-15}))
    kill -TERM "$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            warn "process $pid did not stop in time and is killed"
            kill -KILL "$pid" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
}
