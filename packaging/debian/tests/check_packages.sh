#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# check_packages.sh DIRECTORY: every package in it contains what contents.txt says, and lintian finds
# neither errors nor warnings.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=$1 failed=0
shopt -s nullglob
packages=("$directory"/*.deb)
((${#packages[@]})) || { echo "no packages in $directory"; exit 1; }

# The monitor and the Elixir package are built where there is what they need.
for name in libsnakepit-shm0 libsnakepit-shm-dev snakepit-shm python3-snakepit-shm; do
    [[ -n $(echo "$directory/${name}_"*.deb) ]] || { echo "no package $name"; failed=1; }
done

# contents PACKAGE_FILE: paths without directories, documents and what is too many to list; versions of
# the project are @VERSION@.
contents() {
    dpkg-deb --contents "$1" | sed -E 's/^([^ ]+ +){5}//; s/ (->|link to) .*//; s/^\.//' | grep -v '/$' |
        grep -Ev '^/usr/share/doc/|^/usr/share/lintian/|^/usr/include/snakepit-shm-core/|\.beam$' |
        sed -E "s/$version/@VERSION@/" | LC_ALL=C sort
}

for package in "${packages[@]}"; do
    name=$(dpkg-deb --field "$package" Package)
    version=$(dpkg-deb --field "$package" Version | sed 's/-.*//; s/[.]/\\./g')
    wanted=$(awk -v name="[$name]" '$0 == name { on = 1; next } /^\[/ { on = 0 } on && NF' "$here/contents.txt")
    if ! said=$(diff <(echo "$wanted") <(contents "$package")); then
        printf '%s: contents.txt (<) and the package (>) differ:\n%s\n' "$name" "$said"
        failed=1
    fi
    if [[ $(dpkg-deb --ctrl-tarfile "$package" | tar -xO ./control) == *'${'* ]]; then echo "$name: an unset variable in control"; failed=1; fi
done

if command -v lintian >/dev/null; then
    options=(--tag-display-limit 0 --fail-on error,warning)
    if ((EUID == 0)); then options+=(--allow-root); fi
    said=$(lintian "${options[@]}" "${packages[@]}" 2>&1) || failed=1
    if [[ -n $said ]]; then echo "$said"; fi
else
    echo "no lintian: only the contents were compared"
fi
exit "$failed"
