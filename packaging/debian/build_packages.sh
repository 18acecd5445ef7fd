#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build_packages.sh BUILD OUTPUT [VERSION]: Debian packages of a build tree, in the directory OUTPUT;
# those with symbols for debuggers in OUTPUT/debug. VERSION replaces the one in the changelog.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
version=${3:-}
command -v dh >/dev/null || { echo "no debhelper: apt-get install debhelper dh-python" >&2; exit 1; }

# The packaging tools write into debian/ and beside it, so the tree they see is one of links.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
for entry in app core packaging resources CMakeLists.txt README.md; do ln -s "$root/$entry" "$work/source/"; done
cp -r "$root/packaging/debian" "$work/source/debian"
cd "$work/source"
if [[ -n $version ]]; then sed -i "1s/([^)]*)/($version)/" debian/changelog; fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(dpkg-parsechangelog -STimestamp)}
export SOURCE_DATE_EPOCH SNAKEPIT_BUILD=$build
# -d: what the packages of Build-Depends are for was done when the tree was built.
dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo -d >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
shopt -s nullglob
for package in "$work"/*.deb; do
    directory=$output
    if [[ $package == *-dbgsym_* ]]; then directory=$output/debug; fi
    mkdir -p "$directory"
    mv "$package" "$directory/"
done
