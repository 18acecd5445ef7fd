#!/bin/sh
# SPDX-License-Identifier: MIT
# security_check.sh SYSTEMD_ANALYZE UNITS BINDIR: the units are understood by systemd, and the service
# is exposed to little. Nothing of it need be installed: a shell stands in for the program.
set -eu
analyze=$1 units=$2 bindir=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for unit in snakepit-shm snakepit-shm-user snakepit-shm-origins; do
    sed -E "s#$bindir/snakepit-shm(-origins)?( |\$)#/bin/sh #; /^Documentation=/d" "$units/$unit.service" > "$work/$unit.service"
done
# Complaints about the host's own units are not ours.
check() {
    "$analyze" "$@" 2>&1 | grep "$work" && { echo "systemd-analyze $* complains"; exit 1; }
    return 0
}
check verify --man=no "$work/snakepit-shm.service"
check verify --man=no "$work/snakepit-shm-origins.service"
export XDG_RUNTIME_DIR="$work"
check --user verify --man=no "$work/snakepit-shm-user.service"
# In tenths.
"$analyze" security --offline=true --threshold=15 --no-pager "$work/snakepit-shm.service"
# It is root's, with three capabilities.
"$analyze" security --offline=true --threshold=25 --no-pager "$work/snakepit-shm-origins.service"
