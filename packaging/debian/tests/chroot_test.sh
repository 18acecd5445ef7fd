#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# chroot_test.sh BUILD KEEP: installs packages of the build tree in a new Debian system, with an earlier version first,
# uses them, removes and purges them. The system is kept as KEEP/debian.tar for the next time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
mkdir -p "$2"
keep=$(cd "$2" && pwd)
((EUID == 0)) || { echo "debootstrap and chroot need root: sudo ./packaging/dev package-test" >&2; exit 1; }
if [[ ${IN_NAMESPACE:-} != yes ]]; then exec env IN_NAMESPACE=yes unshare --mount --propagation private "$0" "$@"; fi

# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$(mktemp -d)
# Mounts end with the namespace; nothing may be deleted through one.
finish() {
    umount -R -l "$root/proc" "$root/dev" 2>/dev/null || true
    if mountpoint -q "$root/var/cache/apt/archives"; then umount -l "$root/var/cache/apt/archives"; fi
    rm -rf --one-file-system "$root"
}
trap finish EXIT

if [[ -f $keep/debian.tar ]]; then
    tar -C "$root" -xf "$keep/debian.tar"
else
    echo "debootstrap: a few minutes"
    debootstrap --variant=minbase "$suite" "$root" >"$keep/debootstrap.log" 2>&1 || { tail "$keep/debootstrap.log"; exit 1; }
    tar -C "$root" -cf "$keep/debian.tar.new" .
    mv "$keep/debian.tar.new" "$keep/debian.tar"
fi
mkdir -p "$keep/archives/partial" "$root/packages/earlier" "$root/packages/now"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir -m 1777 "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount --bind "$keep/archives" "$root/var/cache/apt/archives"
cp /etc/resolv.conf "$root/etc/"
# Services are not started in a system without an init.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

export DEB_BUILD_OPTIONS=noautodbgsym DPKG_DEB_COMPRESSOR_TYPE=gzip DPKG_DEB_COMPRESSOR_LEVEL=1
version=$(dpkg-parsechangelog -l "$here/../changelog" -SVersion)
"$here/../build_packages.sh" "$build" "$root/packages/now"
"$here/../build_packages.sh" "$build" "$root/packages/earlier" "$version~earlier"
cp "$here/inside.sh" "$root/packages/"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root chroot "$root" /packages/inside.sh
