#!/bin/bash
# SPDX-License-Identifier: MIT
# package_check.sh BUILD SOURCE: installs what was built, moves it, and builds and runs the example
# service against it, outside the tree, with a C client and the Python module reading what it
# publishes.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
service=
finish() {
    if [[ -n $service ]]; then kill -KILL "$service" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT
fail() { echo "$*"; exit 1; }

cmake --install "$build" --prefix "$work/first" >"$work/install.log" || fail "$(cat "$work/install.log")"
mv "$work/first" "$work/prefix"  # nothing may depend on where it was installed
prefix=$work/prefix
library=$(dirname "$(find "$prefix" -name 'libsnakepit_shm.so')")

export SNAKEPIT_SHM_RUNTIME_DIR=$work/run SNAKEPIT_SHM_STATE_DIR=$work/state SNAKEPIT_SHM_CONFIG=$work/config.toml
unset SNAKEPIT_SHM_PLUGIN_DIR SNAKEPIT_SHM_LIBRARY SNAKEPIT_SHM_INSTANCE LD_LIBRARY_PATH
mkdir "$work/segments"
printf '[shared_memory.platform_options.linux]\nshm_path = "%s/segments"\n' "$work" >"$work/config.toml"

# The program finds its plugins though it was moved.
"$prefix/bin/snakepit-shm" version
cp -r "$source/packaging/examples/service" "$work/example"
cmake -S "$work/example" -B "$work/example/build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Debug \
    >"$work/configure.log" 2>&1 || fail "$(cat "$work/configure.log")"
cmake --build "$work/example/build" >"$work/build.log" 2>&1 || fail "$(cat "$work/build.log")"
export PKG_CONFIG_PATH=$library/pkgconfig
# shellcheck disable=SC2046
"${CC:-cc}" -std=c99 -Wall -Werror "$work/example/reader.c" $(pkg-config --cflags --libs snakepit-shm) \
    -o "$work/reader"

mkfifo "$work/said"
"$work/example/build/example-service" example >"$work/said" 2>"$work/errors" &
service=$!
IFS= read -r region <"$work/said" || fail "the service said: $(cat "$work/errors")"

LD_LIBRARY_PATH=$library "$work/reader" example "$region"
PYTHONPATH=$(dirname "$(dirname "$(find "$prefix" -name _native.abi3.so)")") /usr/bin/python3 - "$region" <<'PYTHON'
import struct, sys, snakepit_shm
with snakepit_shm.Client("example") as client, client.map(sys.argv[1]) as region:
    count, = struct.unpack_from("Q", region.view, 8)
    assert count >= 1, count
    (info,) = client.list()
    assert info.id == sys.argv[1] and info.size == region.size, info
    print("python: sample", count)
PYTHON
"$prefix/bin/snakepit-shm" --instance example list >"$work/list"
grep -q "$region" "$work/list" || fail "the command line does not list $region: $(cat "$work/list")"

kill -TERM "$service"
wait "$service" || fail "the service ended with $?: $(cat "$work/errors")"
service=
left=$(find "$work/segments" -name 'snakepit_*')
[[ -z $left ]] || fail "the service left behind: $left"
if LD_LIBRARY_PATH=$library "$work/reader" example "$region" 2>/dev/null; then fail "a reader found a manager that has ended"; fi
