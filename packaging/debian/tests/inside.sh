#!/bin/bash
# SPDX-License-Identifier: MIT
# What chroot_test.sh does in the new system.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
say() { printf -- '--- %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*"; exit 1; }
manager=
finish() { if [[ -n $manager ]]; then kill -KILL "$manager" 2>/dev/null || true; fi; }
trap finish EXIT
apt_get() { apt-get -y -qq -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=true --no-install-recommends "$@" >/tmp/apt.log 2>&1 || { tail -40 /tmp/apt.log; fail "apt-get $*"; }; }
as() { local user=$1; shift; setpriv --reuid "$user" --regid "$user" --init-groups env HOME="/tmp/$user" XDG_RUNTIME_DIR= "$@"; }

# Paths of ours in the whole system.
ours() { find / -xdev \( -path /packages -o -path /proc -o -path /var/cache/apt \) -prune -o -iname '*snakepit*' -print | LC_ALL=C sort; }

packages=(libsnakepit-shm0 libsnakepit-shm-dev snakepit-shm snakepit-shm-monitor python3-snakepit-shm elixir-snakepit-shm)
for package in "${packages[@]}"; do [[ -n $(ls /packages/now/"${package}"_*.deb) ]] || fail "$package was not built"; done

say "install the earlier version"
apt_get update
apt_get install /packages/earlier/*.deb python3-numpy gcc libc6-dev pkg-config man-db fonts-dejavu-core
dpkg-query -W -f '${Package} ${Version}\n' "${packages[@]}"
id snakepit-shm >/dev/null || fail "no user snakepit-shm"
[[ ! -e /etc/systemd/system/multi-user.target.wants/snakepit-shm.service ]] || fail "the service was enabled"

say "upgrade; a changed configuration stays"
echo '# changed by the administrator' >>/etc/snakepit-shm/service.toml
apt_get install /packages/now/*.deb
[[ $(dpkg-query -W -f '${Version}\n' "${packages[@]}" | sort -u) != *earlier* ]] || fail "a package was not upgraded"
grep -q administrator /etc/snakepit-shm/service.toml || fail "the configuration was replaced"
[[ -z $(dpkg --audit) ]] || fail "dpkg --audit: $(dpkg --audit)"
! dpkg --verify "${packages[@]}" | grep -v 'service.toml\|/usr/share/\(doc\|man\)/' || fail "dpkg --verify: $(dpkg --verify "${packages[@]}")"

say "files: units, man pages, libraries"
systemd-analyze verify --man=no /lib/systemd/system/snakepit-shm.service 2>&1 | grep snakepit && fail "the unit has faults"
for page in snakepit-shm.1 snakepit-shm-keeper.1 snakepit-shm-monitor.1 snakepit-shm.toml.5 snakepit-shm-origins.8 snakepit_shm.3 snakepit_shm_ring.3; do
    # Packages for containers leave man pages out; the files that dpkg knows do not.
    dpkg -S "/usr/share/man/man${page##*.}/$page.gz" >/dev/null || fail "no man page $page"
done
bash -n /usr/share/bash-completion/completions/snakepit-shm

say "the service, with the unit's own command and user"
unit=/lib/systemd/system/snakepit-shm.service
install -d -o snakepit-shm -g snakepit-shm -m 0755 /run/snakepit-shm /run/snakepit-shm/default
install -d -o snakepit-shm -g snakepit-shm -m 0700 /var/lib/snakepit-shm /var/lib/snakepit-shm/default
useradd --create-home --groups snakepit-shm alice
useradd --create-home mallory
read -ra command < <(sed -n 's/^ExecStart=//p' $unit)
# Not in a function, so that the process is the manager itself.
setpriv --reuid snakepit-shm --regid snakepit-shm --init-groups \
    env "$(sed -n 's/^Environment=\(SNAKEPIT_SHM_CONFIG=.*\)/\1/p' $unit)" RUNTIME_DIRECTORY=/run/snakepit-shm/default \
    STATE_DIRECTORY=/var/lib/snakepit-shm/default "${command[@]}" >/tmp/manager.log 2>&1 &
manager=$!
for ((i = 0; i < 600; ++i)); do if as alice snakepit-shm status >/dev/null 2>&1; then break; fi; sleep 0.1; done
as alice snakepit-shm status >/tmp/status || fail "no manager: $(cat /tmp/manager.log /tmp/status)"
if as mallory snakepit-shm list >/dev/null 2>&1; then fail "mallory may connect without being in the group"; fi

say "commands: allocate, write, read"
region=$(as alice snakepit-shm allocate 64KiB --name greeting)
echo hello | as alice snakepit-shm write greeting
[[ $(as alice snakepit-shm read "$region" | head -c 5) == hello ]] || fail "read did not return what was written"

say "Python: an encrypted region, and workers that are killed"
as alice /usr/bin/python3 - <<'PYTHON'
import numpy, snakepit_shm
with snakepit_shm.Client() as client:
    array = client.map("greeting").view
    assert bytes(array[:5]) == b"hello"
    del array
    region = client.allocate(1 << 20, security_level="high")
    client.write(region.id, 0, b"secret")
    assert client.read(region.id, 0, 6) == b"secret"
PYTHON
as alice /usr/bin/python3 /usr/share/doc/python3-snakepit-shm/examples/pool_of_workers.py --over snakepit_shm --frames 10 --kills 3 --seeds 1

say "Elixir: an encrypted region, and Python workers that are killed"
as alice elixir -e '
{:ok, client} = SnakepitShm.connect()
{:ok, greeting} = SnakepitShm.map(client, "greeting")
{:ok, "hello"} = SnakepitShm.read(greeting, 0, 5)
{:ok, region} = SnakepitShm.allocate(client, 65536, security_level: :high)
:ok = SnakepitShm.write(region, 0, "secret")
{:ok, "secret"} = SnakepitShm.read(region, 0, 6)'
as alice elixir /usr/share/doc/elixir-snakepit-shm/examples/round_trip.exs --jobs 6 --kills 2

say "C: a program that is built with pkg-config"
cat >/tmp/reader.c <<'C'
#include <snakepit/shm/snakepit_shm.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    snakepit_shm_client *client = 0;
    snakepit_shm_mapping mapping;
    if (snakepit_shm_connect(0, &client) || snakepit_shm_map(client, "greeting", SNAKEPIT_SHM_READ_ONLY, &mapping)) {
        fprintf(stderr, "%s\n", snakepit_shm_last_error());
        return 1;
    }
    return memcmp(mapping.data, "hello", 5) != 0;
}
C
# shellcheck disable=SC2046
gcc -Wall -Werror /tmp/reader.c $(pkg-config --cflags --libs snakepit-shm) -o /tmp/reader
as alice /tmp/reader

say "the monitor, attached"
as alice QT_QPA_PLATFORM=offscreen snakepit-shm-monitor --attach --after 1 --screenshot /tmp/alice.png --force || fail "no screenshot"
head -c 8 /tmp/alice.png | grep -q PNG || fail "the screenshot is not a picture"

say "remove: configuration and history stay"
kill -TERM "$manager"
wait "$manager" || fail "the manager ended with $?: $(cat /tmp/manager.log)"
manager=
rm -rf /tmp/alice* /tmp/mallory*
apt_get remove "${packages[@]}"
[[ -e /etc/snakepit-shm/service.toml && -e /var/lib/snakepit-shm/default/events.db ]] || fail "removal took configuration or history"

say "purge: nothing stays but the user"
# apt no longer knows packages that left no configuration.
dpkg --purge "${packages[@]}" >/tmp/purge.log 2>&1 || fail "dpkg --purge: $(cat /tmp/purge.log)"
left=$(ours)
[[ -z $left ]] || fail "left behind: $left"
[[ -z $(find /dev/shm -name 'snakepit_*') ]] || fail "left in /dev/shm: $(ls -l /dev/shm)"
say "passed"
