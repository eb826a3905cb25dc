#!/usr/bin/env bash
# A Docker engine for tests: the running one where there is one, else a private `dockerd` of our own.
#
#   docker-engine.sh up FOLDER      prints the DOCKER_HOST to use; starts an engine in FOLDER when none answers
#   docker-engine.sh down FOLDER    stops the engine that `up FOLDER` started, and no other
#   docker-engine.sh base NAME      makes the image NAME, a minimal Debian from the machine's own apt sources
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
PATH=$PATH:/usr/sbin:/sbin

answers() { docker version --format '{{.Server.Version}}'; }

up() {
    local folder=$1
    if answers >/dev/null 2>&1; then
        echo "${DOCKER_HOST:-unix:///var/run/docker.sock}"
        return 0
    fi
    mkdir -p "$folder"
    local socket="unix://$folder/docker.sock"
    [ ${#folder} -lt 90 ] || fail "$folder is too long for a socket's path; choose a shorter folder"
    # shellcheck disable=SC2016  # the inner shell expands them
    as_root bash -c 'nohup dockerd -H "$2" --group "$3" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
        >"$1/log" 2>&1 </dev/null &' - "$folder" "$socket" "$(id -gn)"
    if ! DOCKER_HOST=$socket wait_until 60 "the Docker engine in $folder" docker version; then
        tail -n 20 "$folder/log" >&2
        fail "no Docker engine; its last lines are above"
    fi
    echo "$socket"
}

down() {
    local folder=$1 pid
    [ -f "$folder/pid" ] || return 0
    pid=$(cat "$folder/pid")
    as_root kill -TERM "$pid" 2>/dev/null || true
    wait_until 30 "the Docker engine to stop" eval "! as_root kill -0 $pid" || as_root kill -KILL "$pid"
    as_root rm -rf "$folder"
}

base() {
    docker image inspect "$1" >/dev/null 2>&1 && return 0
    say "making the base image $1 (about a minute)"
    # shellcheck disable=SC1091
    as_root mmdebstrap --quiet --variant=minbase --format=tar "$(. /etc/os-release && echo "$VERSION_CODENAME")" - |
        docker import --change 'CMD ["/bin/bash"]' - "$1" >/dev/null
}

case "${1:-}" in
    up | down | base) "$@" ;;
    *) fail "usage: docker-engine.sh up FOLDER | down FOLDER | base NAME" ;;
esac
