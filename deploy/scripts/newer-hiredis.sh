#!/usr/bin/env bash
# `make newer-hiredis`: builds the Redis driver against hiredis 1.x, with TLS, and runs all of its tests on it and a real Redis.
#
#   newer-hiredis.sh [ARGUMENTS FOR swift test…]
#
# Debian 12's hiredis is 0.14. The newer C sources come from PyPI's source package `hiredis`, which carries them; without pip or a
# way to PyPI this says so and counts as skipped. Everything stays in .build/newer-hiredis; a second run builds only what changed.
set -euo pipefail
# shellcheck source=deploy/scripts/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=deploy/scripts/servers.sh
. "$SCRIPTS/servers.sh"
cd "$ROOT"

HOME_OF_IT="$ROOT/.build/newer-hiredis"
WANTED="hiredis>=3.2,<4"

skip() {
    say "newer hiredis: skipped: $*"
    exit 0
}

# fetch: the C sources in $HOME_OF_IT/source.
fetch() {
    local archives=()
    [ ! -f "$HOME_OF_IT/source/hiredis.h" ] || return 0
    python3 -m pip --version >/dev/null 2>&1 || skip "there is no python3 with pip to fetch the sources with"
    rm -rf "$HOME_OF_IT/download"
    mkdir -p "$HOME_OF_IT/download" "$HOME_OF_IT/source"
    timeout 120 python3 -m pip --disable-pip-version-check --quiet download --no-deps --no-binary hiredis \
        --dest "$HOME_OF_IT/download" "$WANTED" >"$HOME_OF_IT/pip.log" 2>&1 ||
        skip "PyPI did not hand out '$WANTED': $(tail -n 1 "$HOME_OF_IT/pip.log")"
    archives=("$HOME_OF_IT"/download/hiredis-*.tar.gz)
    tar -xzf "${archives[0]}" -C "$HOME_OF_IT/source" --strip-components=3 --wildcards '*/vendor/hiredis/*'
}

# build_library: libhiredis and, with OpenSSL's headers, libhiredis_ssl, installed as a distribution would.
build_library() {
    local source="$HOME_OF_IT/source" prefix="$HOME_OF_IT/prefix" name part
    local compiler
    compiler=$(command -v cc || command -v clang) || fail "there is no C compiler"
    SONAME=$(sed -n 's/^#define HIREDIS_SONAME //p' "$source/hiredis.h")
    [ -n "$SONAME" ] || fail "the sources in $source name no version"
    [ ! -f "$prefix/lib/pkgconfig/hiredis.pc" ] || return 0
    rm -rf "$prefix"
    mkdir -p "$prefix/lib/pkgconfig" "$prefix/include/hiredis"
    cp "$source"/*.h "$prefix/include/hiredis/"
    "$compiler" -O2 -fPIC -shared -std=gnu99 -Wl,-soname,"libhiredis.so.$SONAME" -o "$prefix/lib/libhiredis.so.$SONAME" \
        "$source"/{alloc,async,dict,hiredis,net,read,sds,sockcompat}.c
    if [ -f /usr/include/openssl/ssl.h ]; then
        "$compiler" -O2 -fPIC -shared -std=gnu99 -Wl,-soname,"libhiredis_ssl.so.$SONAME" \
            -o "$prefix/lib/libhiredis_ssl.so.$SONAME" "$source/ssl.c" \
            -L"$prefix/lib" "-l:libhiredis.so.$SONAME" -lssl -lcrypto
    else
        say "newer hiredis: no OpenSSL headers (libssl-dev), so without TLS"
    fi
    for name in hiredis hiredis_ssl; do
        [ ! -f "$prefix/lib/lib$name.so.$SONAME" ] || ln -sf "lib$name.so.$SONAME" "$prefix/lib/lib$name.so"
    done
    for part in "Name: hiredis" "Description: hiredis for a test" "Version: $SONAME" \
        "Cflags: -I$prefix/include" "Libs: -L$prefix/lib -lhiredis"; do
        printf '%s\n' "$part" >>"$prefix/lib/pkgconfig/hiredis.pc"
    done
}

# make_package: the driver and its tests alone, by links into this repository.
make_package() {
    local package="$HOME_OF_IT/package" name
    mkdir -p "$package/Sources" "$package/Tests"
    for name in CLinux CHiredis ReadinessLoop RedisDriver; do ln -sfn "$ROOT/Sources/$name" "$package/Sources/$name"; done
    ln -sfn "$ROOT/Tests/RedisDriverTests" "$package/Tests/RedisDriverTests"
    # The dependencies at the versions that the repository has resolved.
    [ ! -f "$ROOT/Package.resolved" ] || [ -f "$package/Package.resolved" ] || cp "$ROOT/Package.resolved" "$package/"
    cat >"$package/Package.swift.new" <<MANIFEST
// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"), .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let package = Package(
    name: "flotilla", platforms: [.macOS(.v15)],
    dependencies: [
$(grep -E '/(swift-collections|swift-log|swift-service-lifecycle)"' "$ROOT/Package.swift")
    ],
    targets: [
        .systemLibrary(name: "CHiredis", pkgConfig: "hiredis"),
        .target(name: "CLinux"),
        .target(name: "ReadinessLoop", dependencies: ["CLinux"], swiftSettings: settings + [.strictMemorySafety()]),
        .target(
            name: "RedisDriver", dependencies: ["CHiredis", "ReadinessLoop", deque, lifecycle, logging],
            swiftSettings: settings + [.strictMemorySafety()]),
        .testTarget(
            name: "RedisDriverTests", dependencies: ["RedisDriver", "ReadinessLoop", logging], swiftSettings: settings),
    ])
MANIFEST
    cmp -s "$package/Package.swift.new" "$package/Package.swift" || cp "$package/Package.swift.new" "$package/Package.swift"
    rm "$package/Package.swift.new"
}

mkdir -p "$HOME_OF_IT"
"$SCRIPTS/dependencies.sh" test
fetch
build_library
make_package
export PKG_CONFIG_PATH="$HOME_OF_IT/prefix/lib/pkgconfig" LD_LIBRARY_PATH="$HOME_OF_IT/prefix/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
say "newer hiredis: the driver's tests with hiredis $SONAME"
swift build --package-path "$HOME_OF_IT/package" --build-tests

if [ -z "${FLOTILLA_TEST_REDIS:-}" ]; then
    trap 'stop_servers $?' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start_redis
    export FLOTILLA_TEST_REDIS="redis://127.0.0.1:$REDIS_PORT"
fi
# A test holds the driver's own word against this.
export FLOTILLA_TEST_HIREDIS="$SONAME"
swift test --package-path "$HOME_OF_IT/package" --skip-build --no-parallel "$@"
