#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_container_example.sh SOURCE BUILD: packaging/examples/container/ as its README says: a client in namespaces of its own,
# with one directory of the host, shares memory with a program outside. 77 where user namespaces are refused.
set -euo pipefail
source=$1/packaging/examples/container build=$2
unshare --user --map-root-user --mount --pid --ipc --fork sh -c 'mount -t tmpfs none /tmp && mount -t proc none /proc' 2>/dev/null || {
    echo "SKIP   : no user namespaces may be made here"
    exit 77
}
work=$(mktemp -d)
service=''
finish() {
    if [[ -n $service ]]; then kill "$service" 2>/dev/null || true; wait "$service" || true; fi
    rm -rf "$work"
}
trap finish EXIT
export SNAKEPIT_SHM_RUNTIME_DIR=$work/run SNAKEPIT_SHM_STATE_DIR=$work/state SNAKEPIT_SHM_CONFIG=$work/config.toml
export PYTHONPATH=$build/python
touch "$work/config.toml"
"$build/bin/snakepit-shm" serve > "$work/said" &
service=$!
until "$build/bin/snakepit-shm" status > /dev/null 2>&1; do kill -0 "$service" || exit 1; sleep 0.1; done

mkdir "$work/image"
cp -rL "$build/python" "$source/client.py" "$work/image"
/usr/bin/python3 "$source/host.py" > "$work/host" &
host=$!
until grep -q ready "$work/host"; do kill -0 "$host" || exit 1; sleep 0.1; done
"$source/enter.sh" "$SNAKEPIT_SHM_RUNTIME_DIR" "$work/image" python3 /app/client.py | tee "$work/client"
wait "$host"
cat "$work/host"
grep -q "the host says: hello" "$work/client"
grep -q "shares 64 MiB; its /dev/shm has 1" "$work/client"
grep -q "holders of the answer: python3 container" "$work/host"
! "$build/bin/snakepit-shm" list --json | grep -q '"id"'  # nothing is left
