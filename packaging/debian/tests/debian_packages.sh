#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debian_packages.sh BUILD: the test. Packages of the tree that was built, with little compression and without
# symbols for debuggers, are what they should be. 77: there is nothing to build them with.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for tool in dh dh_python3; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool (apt-get install debhelper dh-python)"; exit 77; }
done
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
export DEB_BUILD_OPTIONS=noautodbgsym DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1
"$here/../build_packages.sh" "$1" "$output"
"$here/check_packages.sh" "$output"
