# shellcheck shell=bash
# A PostgreSQL and a Redis for one run, on free ports of loopback, in a temporary folder. Read after common.sh.
#
# Both are children of this shell: `stop_servers` ends exactly these two, by their process ids, and removes the folder.
# PostgreSQL keeps its stock durability: what is tested here depends on it.

SERVERS=""
POSTGRES_PID=""
REDIS_PID=""

# shellcheck disable=SC2034  # the ports are read by the callers
servers_folder() {
    [ -z "$SERVERS" ] || return 0
    SERVERS=$(mktemp -d "${TMPDIR:-/tmp}/flotilla-test.XXXXXX")
    chmod 711 "$SERVERS"
}

postgres_answers() {
    kill -0 "$POSTGRES_PID" && "$bin/pg_isready" -q -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres
}

start_postgres() {
    local bin tries
    local -a drop=()
    bin=$(postgres_bin) || fail "no PostgreSQL server is installed"
    servers_folder
    mkdir -m 700 "$SERVERS/postgres"
    # PostgreSQL refuses to run as root.
    if [ "$(id -u)" -eq 0 ]; then
        drop=(setpriv --reuid=postgres --regid=postgres --init-groups --)
        chown postgres: "$SERVERS/postgres"
    fi
    (cd / && "${drop[@]}" "$bin/initdb" -D "$SERVERS/postgres/data" -A trust -U postgres -E UTF8 --no-locale) \
        >"$SERVERS/postgres.log" 2>&1 || fail "initdb: $(tail -n 3 "$SERVERS/postgres.log")"
    for tries in 1 2 3; do
        POSTGRES_PORT=$(free_port)
        "${drop[@]}" "$bin/postgres" -D "$SERVERS/postgres/data" -p "$POSTGRES_PORT" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories="$SERVERS/postgres" -c max_connections=300 \
            -c client_connection_check_interval=10s >>"$SERVERS/postgres.log" 2>&1 </dev/null &
        POSTGRES_PID=$!
        wait_until 30 "PostgreSQL on port $POSTGRES_PORT, attempt $tries" postgres_answers && return 0
        kill -INT "$POSTGRES_PID" 2>/dev/null || true
    done
    fail "PostgreSQL did not start"
}

start_redis() {
    local tries
    servers_folder
    mkdir -m 700 "$SERVERS/redis"
    for tries in 1 2 3; do
        REDIS_PORT=$(free_port)
        redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --save '' --appendonly no --dir "$SERVERS/redis" \
            >>"$SERVERS/redis.log" 2>&1 </dev/null &
        REDIS_PID=$!
        wait_until 10 "Redis on port $REDIS_PORT, attempt $tries" \
            eval "kill -0 $REDIS_PID && redis-cli -h 127.0.0.1 -p $REDIS_PORT ping" && return 0
        kill "$REDIS_PID" 2>/dev/null || true
    done
    fail "Redis did not start"
}

# stop_servers STATUS: silent after success, so that the tests' own last line stays the last; else shows the logs' ends.
stop_servers() {
    local log
    # Nothing may keep this from coming to its end, not even a reader of our output that went away.
    trap - EXIT
    trap '' PIPE INT TERM
    set +e
    [ -z "$REDIS_PID" ] || stop_process "$REDIS_PID" 10
    if [ -n "$POSTGRES_PID" ]; then
        # INT is PostgreSQL's fast shutdown: it does not wait for clients.
        kill -INT "$POSTGRES_PID" 2>/dev/null || true
        wait_until 30 "PostgreSQL to stop" eval "! kill -0 $POSTGRES_PID" || kill -QUIT "$POSTGRES_PID" || true
    fi
    if [ "$1" -ne 0 ] && [ -n "$SERVERS" ]; then
        for log in "$SERVERS"/*.log; do
            warn "--- the last lines of $(basename "$log")"
            tail -n 15 "$log" >&2
        done
    fi
    [ -z "$SERVERS" ] || rm -rf "$SERVERS"
    exit "$1"
}
