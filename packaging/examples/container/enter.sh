#!/bin/sh
# SPDX-License-Identifier: MIT
# enter.sh DIRECTORY IMAGE COMMAND…: runs COMMAND as a container would: in user, mount, pid and IPC namespaces of its own, with
# a root file system that has the host's programs (read-only), IMAGE at /app, a /dev/shm of 1 MiB of its own, and one
# directory of the host: DIRECTORY at /run/snakepit-shm.
set -eu
if [ "${1:-}" != inside ]; then
    exec unshare --user --map-root-user --mount --pid --ipc --fork --kill-child "$0" inside "$@"
fi
shift
directory=$1 image=$2
shift 2

root=$(mktemp -d)
mount -t tmpfs -o mode=755 none "$root"
for name in usr bin sbin lib lib64 etc; do
    if [ -L "/$name" ]; then
        cp -P "/$name" "$root/$name"
    elif [ -d "/$name" ]; then
        mkdir "$root/$name"
        mount --rbind "/$name" "$root/$name"
        mount -o remount,bind,ro "$root/$name" 2>/dev/null || true  # a mount of the host may have flags that must stay
    fi
done
mkdir -p "$root/proc" "$root/dev/shm" "$root/tmp" "$root/app" "$root/run/snakepit-shm"
mount -t proc none "$root/proc"
mount -t tmpfs -o size=1m none "$root/dev/shm"
for name in null urandom; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mount --bind "$image" "$root/app"
mount --bind "$directory" "$root/run/snakepit-shm"
exec chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin SNAKEPIT_SHM_RUNTIME_DIR=/run/snakepit-shm PYTHONPATH=/app/python "$@"
