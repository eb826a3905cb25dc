#!/usr/bin/env bash
# `make compose-test`: docker-compose.yml for real. Five workers up, a tree of files through the balancer, eight, three, down.
#
# Needs no registry: the base image is made from this machine's apt sources, the servers' images are built from Debian's
# packages (deploy/images), and the program comes from .build. An engine is started where none answers, and stopped again.
#
#   COMPOSE_TREE=/some/folder      what to send; docs, sources and the program itself unless told
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$ROOT"

PROJECT=flotilla-test
LIMIT=300  # seconds for any one command
started=$SECONDS
step() { printf '[%4d s] %s\n' $((SECONDS - started)) "$*"; }

"$SCRIPTS/dependencies.sh" compose
"$SCRIPTS/build.sh"

# Debian's client, should another one stand before it on the PATH without its plugins.
command -v docker-compose >/dev/null && PATH=/usr/bin:$PATH
PATH=$PATH:/usr/sbin:/sbin
compose() {
    if docker compose version >/dev/null 2>&1; then
        timeout "$LIMIT" docker compose --project-name "$PROJECT" "$@"
    else
        timeout "$LIMIT" docker-compose --project-name "$PROJECT" "$@"
    fi
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/flotilla-compose.XXXXXX")
finish() {
    local status=$?
    trap - EXIT
    trap '' PIPE INT TERM
    set +e
    if [ "$status" -ne 0 ]; then
        compose ps || true
        compose logs --tail 20 --no-color || true
    fi
    step "everything down"
    compose down --volumes --timeout 30 >"$folder/down.log" 2>&1 || { cat "$folder/down.log"; status=1; }
    if [ -n "$(docker ps --all --quiet --filter "label=com.docker.compose.project=$PROJECT" 2>/dev/null)" ]; then
        warn "containers are left"
        status=1
    fi
    "$SCRIPTS/docker-engine.sh" down "$folder/engine" || status=1
    rm -rf "$folder"
    if [ "$status" -eq 0 ]; then step "compose-test: passed"; else step "compose-test: FAILED"; fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

DOCKER_HOST=$("$SCRIPTS/docker-engine.sh" up "$folder/engine")
export DOCKER_HOST DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1 COMPOSE_HTTP_TIMEOUT=$LIMIT
step "engine $(docker version --format '{{.Server.Version}}') at $DOCKER_HOST"

# What docker-compose.yml lets anybody replace.
base=$PROJECT/base
export FLOTILLA_IMAGE=$PROJECT/worker FLOTILLA_PROGRAM=prebuilt FLOTILLA_BUILD_IMAGE=$base FLOTILLA_RUNTIME_IMAGE=$base
export POSTGRES_IMAGE=$PROJECT/postgres REDIS_IMAGE=$PROJECT/redis HAPROXY_IMAGE=$PROJECT/haproxy
POSTGRES_PASSWORD=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
FILES_PORT=$(free_port)
ADMIN_PORT=$(free_port)
export POSTGRES_PASSWORD FILES_ADDRESS=127.0.0.1:$FILES_PORT ADMIN_ADDRESS=127.0.0.1:$ADMIN_PORT
files=http://127.0.0.1:$FILES_PORT
admin=http://127.0.0.1:$ADMIN_PORT

"$SCRIPTS/docker-engine.sh" base "$base"
for image in postgres redis haproxy; do
    step "image $image"
    timeout "$LIMIT" docker build --quiet --build-arg BASE_IMAGE="$base" --tag "$PROJECT/$image" "deploy/images/$image" >/dev/null
done
step "image worker"
rm -rf var/image
"$SCRIPTS/collect-program.sh" var/image
compose build worker >"$folder/build.log" 2>&1 || { tail -n 30 "$folder/build.log"; fail "the worker's image"; }

healthy() {
    local ids count
    ids=$(compose ps --quiet worker) || return 1
    # shellcheck disable=SC2086  # one id a word
    count=$(docker inspect --format '{{.State.Health.Status}}' $ids | grep -c '^healthy$') || return 1
    [ "$count" -eq "$1" ]
}
listed() {
    curl --silent --fail --max-time 5 --header "Authorization: Bearer $TOKEN" "$admin/api/v1/nodes" |
        python3 -c 'import json, sys; n = [x for x in json.load(sys.stdin)["items"] if x["status"] == "active"]
sys.exit(len(n) != int(sys.argv[1]))' "$1"
}
scale() {
    compose up --detach --no-build --no-recreate --scale "worker=$1" >"$folder/up.log" 2>&1 ||
        { tail -n 30 "$folder/up.log"; fail "up --scale worker=$1"; }
    wait_until 90 "$1 healthy workers" healthy "$1"
}

step "up --scale worker=5"
scale 5
step "five workers are healthy"
wait_until 30 "the balancer" curl --silent --fail "$files/health/ready"
TOKEN=$(compose exec -T worker flotilla token issue | grep -oE '[A-Za-z0-9._~+/=-]{20,}' | tail -n 1)
wait_until 30 "five nodes in the list" listed 5
step "five nodes are listed"

tree=${COMPOSE_TREE:-$folder/tree}
if [ ! -d "$tree" ]; then
    mkdir "$tree"
    cp -r Sources docs deploy var/image "$tree" 2>/dev/null
fi
E2E_TREE=$tree E2E_FILES_URL=$files E2E_ADMIN_URL=$admin E2E_TOKEN=$TOKEN python3 -B deploy/e2e/main.py --program "$PROGRAM"

for workers in 8 3; do
    scale "$workers"
    wait_until 30 "$workers nodes in the list" listed "$workers"
    step "scaled to $workers: as many are healthy and listed"
done
curl --silent --fail --retry 10 --retry-all-errors --max-time 60 --header "Authorization: Bearer $TOKEN" \
    "$admin/api/v1/transfers?limit=1" >/dev/null || fail "the transfer log after scaling"
step "the log answers after scaling down"
