#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# build_archive.sh BUILD OUTPUT: an archive of a build tree for people without root, with the libraries
# that a host may lack. Unpacked anywhere, it runs from there.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
output=$(cd "$2" && pwd)
command -v patchelf >/dev/null || { echo "no patchelf: apt-get install patchelf" >&2; exit 1; }

version=$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
name=snakepit-shm-$version-linux-$(uname -m)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/$name
cmake --install "$build" --prefix "$tree" >"$work/log" || { cat "$work/log" >&2; exit 1; }
# What only root can use, and what only programs that host a manager are built with.
rm -rf "${tree:?}"/etc "$tree"/lib/{systemd,sysusers.d,tmpfiles.d} "$tree"/include/snakepit-shm-core "$tree"/lib/snakepit-shm/*.a \
    "$tree"/lib/cmake/SnakepitShm/SnakepitShmCore*
mapfile -t ours < <(find "$tree" -type f \( -path '*/bin/*' -o -name '*.so*' \))
strip --strip-unneeded "${ours[@]}"

bundled=$tree/lib/snakepit-shm/bundled
mkdir -p "$bundled"
# The C and C++ libraries, and what belongs to the host's display, are the host's.
host='lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|GL|GLX|GLdispatch|OpenGL|EGL|drm|gbm|X11|X11-xcb|Xau|Xdmcp|Xext|xcb|ICE|SM|uuid|fontconfig|freetype|expat|wayland-[a-z]+)\.so'
needed_by() { ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u | grep -Ev "/$host" | grep -v "^$tree" || true; }
if [[ -x $tree/bin/snakepit-shm-monitor ]]; then
    qt=$(qmake6 -query QT_INSTALL_PLUGINS)
    for plugin in platforms/libq{xcb,offscreen,minimal}.so platforms/libqwayland-generic.so iconengines/libqsvgicon.so \
        imageformats/libqsvg.so xcbglintegrations/libqxcb-glx-integration.so; do
        if [[ -f $qt/$plugin ]]; then install -D -m 644 "$qt/$plugin" "$tree/lib/snakepit-shm/qt/$plugin"; fi
    done
    printf '[Paths]\nPrefix=..\nPlugins=lib/snakepit-shm/qt\n' >"$tree/bin/qt.conf"
fi
mapfile -t users < <(find "$tree" -type f \( -path '*/bin/snakepit*' -o -name '*.so*' \))
needed_by "${users[@]}" | while read -r library; do cp -L "$library" "$bundled/"; done
# Not LD_LIBRARY_PATH: programs that are started from here would inherit it.
while read -r file; do
    patchelf --set-rpath "\$ORIGIN/$(realpath --relative-to="$(dirname "$file")" "$bundled")" "$file"
done < <(find "$tree" -type f \( -path '*/bin/snakepit*' -o -name '*.so*' \))

mkdir -p "$tree/share/doc/snakepit-shm"
cp -r "$root/LICENSES" "$tree/share/doc/snakepit-shm/"
cp "$root/packaging/debian/archive.txt" "$tree/README.txt"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -cf - "$name" | xz -T0 -6 >"$output/$name.tar.xz"
echo "$output/$name.tar.xz"
