#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh COMMAND…: runs a command with an instance of its own. The virtual machine passes its
# environment to the native library as it was at its start, so it is set here.
set -euo pipefail
home=$(mktemp -d /tmp/snakepit-elixir.XXXXXX)
finish() {
    if [[ -f $home/run/test_manager.pid ]]; then kill -KILL "$(<"$home/run/test_manager.pid")" 2>/dev/null || true; fi
    rm -rf "$home"
}
trap finish EXIT
mkdir -m 700 "$home/run" "$home/state" "$home/segments"
cat >"$home/config.toml" <<TOML
[shared_memory]
grace_period = "200ms"
[shared_memory.platform_options.linux]
shm_path = "$home/segments"
TOML
export SNAKEPIT_SHM_RUNTIME_DIR=$home/run SNAKEPIT_SHM_STATE_DIR=$home/state SNAKEPIT_SHM_CONFIG=$home/config.toml
unset SNAKEPIT_SHM_INSTANCE SNAKEPIT_SHM_AUTOSTART SNAKEPIT_SHM_PLUGIN_DIR
"$@"
