#!/usr/bin/env bash
# Installs what is missing for the named groups, and only that, saying so.
#
#   dependencies.sh [--user] GROUP…      groups: build run cluster test lint e2e cuts mounts models bench leaks compose
#
# Packages come from apt, as root or through passwordless sudo. No service is started by an installation, and the services of
# packages that this script installed are left disabled: Flotilla starts servers of its own.
# --user: also makes the system user `flotilla`, to which a server that root starts drops.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

SWIFT_NEEDED=6.2

group_packages() {
    case "$1" in
        build) echo "git pkg-config libpq-dev libhiredis-dev" ;;
        run) echo "$(group_packages build) postgresql" ;;
        cluster) echo "$(group_packages run) redis-server haproxy" ;;
        lint) echo "shellcheck python3" ;;
        test) echo "$(group_packages cluster) curl" ;;
        models) echo "spin gcc libc6-dev python3" ;;
        e2e) echo "$(group_packages cluster) curl python3 python3-venv chromium fonts-dejavu-core wget aria2 rclone" ;;
        cuts) echo "gcc libc6-dev e2fsprogs" ;;
        mounts) echo "glusterfs-server glusterfs-client bindfs fiu-utils" ;;
        bench) echo "$(group_packages cluster) curl wrk python3 python3-venv redis-tools nginx-light util-linux etcd-server etcd-client nghttp2-client faketime" ;;
        leaks) echo "$(group_packages run) redis-server liblsan0" ;;
        compose) echo "$(group_packages build) curl python3 docker.io docker-compose mmdebstrap" ;;
        *) fail "unknown group '$1': build run cluster test lint e2e cuts mounts models bench leaks compose" ;;
    esac
}

# present PACKAGE: is what we need from it there, from wherever it came?
present() {
    case "$1" in
        libpq-dev) pkg-config --exists libpq 2>/dev/null ;;
        libhiredis-dev) pkg-config --exists hiredis 2>/dev/null ;;
        postgresql) postgres_bin >/dev/null ;;
        docker.io) [ -n "$(PATH=$PATH:/usr/sbin command -v dockerd)" ] ;;
        aria2) command -v aria2c >/dev/null ;;
        e2fsprogs) [ -n "$(PATH=$PATH:/sbin:/usr/sbin command -v e2fsck)" ] ;;
        libc6-dev) [ -e /usr/include/stdio.h ] ;;
        python3-venv) python3 -c "import ensurepip, venv" >/dev/null 2>&1 ;;
        fonts-dejavu-core) [ -n "$(find /usr/share/fonts -name '*.ttf' -print -quit 2>/dev/null)" ] ;;
        redis-tools) command -v redis-benchmark >/dev/null && command -v redis-cli >/dev/null ;;
        etcd-server) command -v etcd >/dev/null ;;
        etcd-client) command -v etcdctl >/dev/null ;;
        nghttp2-client) command -v h2load >/dev/null ;;
        nginx-light) [ -n "$(PATH=$PATH:/usr/sbin command -v nginx)" ] ;;
        util-linux) command -v taskset >/dev/null && command -v setpriv >/dev/null ;;
        liblsan0) lsan_library >/dev/null ;;
        glusterfs-server) [ -n "$(PATH=$PATH:/usr/sbin command -v glusterd)" ] ;;
        glusterfs-client) [ -n "$(PATH=$PATH:/usr/sbin command -v mount.glusterfs)" ] ;;
        fiu-utils) command -v fiu-run >/dev/null && command -v fiu-ctrl >/dev/null ;;
        haproxy) [ -n "$(PATH=$PATH:/usr/sbin command -v haproxy)" ] ;;
        docker-compose) command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# install PACKAGE…: the service manager is told to leave everything stopped; what was there before is put back.
install_packages() {
    command -v apt-get >/dev/null ||
        fail "missing: $*. This machine has no apt-get; install the like of these Debian packages by hand"
    say "installing: $*"
    as_root bash -s -- "$@" <<'INSTALL'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/flotilla-install.conf
restore() {
    rm -f "$cluster"
    if [ -e "$policy.before-flotilla" ]; then mv "$policy.before-flotilla" "$policy"; else rm -f "$policy"; fi
}
trap restore EXIT
if [ -e "$policy" ] && [ ! -e "$policy.before-flotilla" ]; then mv "$policy" "$policy.before-flotilla"; fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"
# Debian's package would make a server "main" on port 5432; nobody here asked for it.
mkdir -p "$(dirname "$cluster")"
echo 'create_main_cluster = false' >"$cluster"
apt-get -o DPkg::Lock::Timeout=600 -qq update </dev/null
apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -qq install -y --no-install-recommends "$@" </dev/null >/dev/null
if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        case "$package" in
            redis-server | haproxy) systemctl disable "$package" ;;
            docker.io) systemctl disable docker.service docker.socket ;;
            glusterfs-server) systemctl disable glusterd.service ;;
        esac
    done
fi
INSTALL
}

check_swift() {
    local version
    command -v swift >/dev/null ||
        fail "no Swift on the PATH: install a Swift $SWIFT_NEEDED toolchain or later (swift.org/install) and try again"
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
    [ "$(printf '%s\n%s\n' "$SWIFT_NEEDED" "${version:-0}" | sort -V | head -n 1)" = "$SWIFT_NEEDED" ] ||
        fail "$(command -v swift) is Swift ${version:-of an unknown version}: $SWIFT_NEEDED or later is needed"
}

make_user() {
    [ "$(id -u)" -eq 0 ] || return 0
    if ! getent passwd flotilla >/dev/null; then
        say "making the system user 'flotilla', to which the server drops when root starts it"
        useradd --system --user-group --home-dir /var/lib/flotilla --no-create-home --shell /usr/sbin/nologin flotilla
    fi
}

main() {
    local user=false group package
    local -a missing=()
    [ "${1:-}" = --user ] && { user=true; shift; }
    [ $# -gt 0 ] || fail "name at least one group: build run cluster test lint e2e cuts mounts models bench leaks compose"
    for group in "$@"; do
        for package in $(group_packages "$group"); do
            if ! present "$package" && [[ " ${missing[*]:-} " != *" $package "* ]]; then missing+=("$package"); fi
        done
        [[ $group = lint || $group = models ]] || check_swift
    done
    if [ ${#missing[@]} -gt 0 ]; then
        install_packages "${missing[@]}"
        for package in "${missing[@]}"; do
            present "$package" || fail "$package was installed, but what is needed from it is still not there"
        done
    fi
    [ "$user" = false ] || make_user
}
main "$@"
