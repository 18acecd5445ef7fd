#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_containers.sh SOURCE BUILD: what packaging/doc/containers.md promises. A client in namespaces of its
# own, with an empty /dev/shm of 1 MiB, shares 64 MiB with a manager outside; it is given one directory.
set -euo pipefail
source=$1 build=$2
spaces=(unshare --mount --pid --ipc --net --fork --mount-proc)
((EUID == 0)) || spaces=(unshare --user --map-root-user "${spaces[@]:1}")
"${spaces[@]}" true 2>/dev/null || { echo "no namespaces may be made here"; exit 77; }
work=$(mktemp -d)
service=
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

cat > "$work/client.py" <<'PYTHON'
import os, snakepit_shm
room = os.statvfs("/dev/shm")
assert room.f_blocks * room.f_frsize <= 1 << 20, "the container's own /dev/shm is not in use"
with snakepit_shm.Client() as client:
    region = client.allocate(64 << 20)
    region.view[:] = b"x" * region.size
    with region.lock(timeout=60):
        assert region.info().reference_count == 3
    region.deallocate()
PYTHON
"${spaces[@]}" sh -c "mount -t tmpfs -o size=1m none /dev/shm && exec /usr/bin/python3 '$work/client.py'"
