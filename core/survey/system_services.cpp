// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "survey/known_programs.h"

namespace snakepit::shm::survey {

namespace {

// Directories of the operating system, which only an administrator changes.
constexpr std::array<std::string_view, 4> kDirectories{"/usr/", "/sbin/", "/bin/", "/lib/"};

// File names, in order. None of these is known to use shmget(2).
constexpr std::array<std::string_view, 55> kServices{
    "NetworkManager",
    "accounts-daemon",
    "acpid",
    "agetty",
    "atd",
    "auditd",
    "chronyd",
    "containerd",
    "containerd-shim-runc-v2",
    "cron",
    "crond",
    "dbus-broker",
    "dbus-broker-launch",
    "dbus-daemon",
    "dhclient",
    "dhcpcd",
    "docker-proxy",
    "dockerd",
    "init",
    "irqbalance",
    "login",
    "lvmetad",
    "mcelog",
    "mdadm",
    "multipathd",
    "nscd",
    "ntpd",
    "polkitd",
    "qemu-ga",
    "rpcbind",
    "rsyslogd",
    "smartd",
    "snakepit-shm",
    "snakepit-shm-monitor",
    "snakepit-shm-origins",
    "snapd",
    "sshd",
    "sshd-auth",
    "sshd-session",
    "su",
    "sudo",
    "systemd",
    "systemd-executor",
    "systemd-homed",
    "systemd-journald",
    "systemd-logind",
    "systemd-machined",
    "systemd-networkd",
    "systemd-nsresourced",
    "systemd-oomd",
    "systemd-udevd",
    "systemd-userdbd",
    "systemd-userwork",
    "udisksd",
    "upowerd",
};
static_assert(std::is_sorted(kServices.begin(), kServices.end()));

}  // namespace

bool is_system_service(std::string_view path) {
    constexpr std::string_view kDeleted = " (deleted)";  // by an update
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    return !path.starts_with("/usr/local/") &&
           std::any_of(
               kDirectories.begin(), kDirectories.end(),
               [path](std::string_view directory) { return path.starts_with(directory); }) &&
           std::binary_search(kServices.begin(), kServices.end(), path.substr(path.rfind('/') + 1));
}

}  // namespace snakepit::shm::survey
