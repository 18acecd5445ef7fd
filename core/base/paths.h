// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace snakepit::shm {

// Where an instance keeps its files. If set, SNAKEPIT_SHM_RUNTIME_DIR and SNAKEPIT_SHM_STATE_DIR
// are the directories of that one instance.
struct InstancePaths {
    std::string instance;
    std::string runtime_dir;  // control.sock, registry, grants, locks, seals, service.lock, leases/
    std::string state_dir;    // events.db, its signed head, keys
    std::string config_file;  // empty: none found, the built-in defaults apply
    std::string key_file;     // the instance's secret as a systemd credential; empty: none

    std::string control_socket() const { return runtime_dir + "/control.sock"; }
    std::string registry() const { return runtime_dir + "/registry"; }
    std::string grants() const { return runtime_dir + "/grants"; }
    std::string locks() const { return runtime_dir + "/locks"; }
    std::string encryption() const { return runtime_dir + "/seals"; }
    std::string lease_dir() const { return runtime_dir + "/leases"; }
    std::string service_lock() const { return runtime_dir + "/service.lock"; }
    std::string keeper_socket() const { return runtime_dir + "/keeper.sock"; }
    std::string durable_dir() const { return state_dir + "/durable"; }
    std::string state_db() const { return state_dir + "/state.db"; }
    std::string events_db() const { return state_dir + "/events.db"; }
    std::string metrics_db() const { return state_dir + "/metrics.db"; }
    std::string instance_key() const {
        return key_file.empty() ? state_dir + "/instance.key" : key_file;
    }
    std::string audit_head() const { return state_dir + "/audit.head"; }
    std::string audit_public_key() const { return state_dir + "/audit.pub"; }
};

// Resolves the environment. An empty `instance` means SNAKEPIT_SHM_INSTANCE, else "default".
// Creates nothing. `for_service`: also honours systemd's RUNTIME_DIRECTORY and STATE_DIRECTORY.
Result<InstancePaths> resolve_paths(std::string_view instance, bool for_service = false);

// The path of the user's own configuration file, whether it exists or not.
std::string user_config_file();

// The same instance of the host's manager, at /run/snakepit-shm, for a client whose user runs no
// manager. Empty if SNAKEPIT_SHM_RUNTIME_DIR is set, or if the paths are the same.
std::optional<InstancePaths> host_paths(const InstancePaths& own);

// The users besides our own that may reach an instance.
struct AccessGroups {
    std::optional<std::uint32_t> socket_group;  // may connect, according to socket_mode
    std::uint32_t socket_mode = 0600;
    std::optional<std::uint32_t> admin_group;  // may read the registry itself

    bool others() const { return (socket_mode & 0066U) != 0 || admin_group; }
};

// Makes both directories with mode 0700 and checks that they are ours, are not links, and that
// nobody else may write them. The runtime directory may be entered by those groups; what is in it
// has modes of its own.
Status prepare_directories(const InstancePaths& paths, const AccessGroups& access = {});

// permission_denied if we are not a member of the group.
Status set_access(const std::string& path, std::uint32_t mode, std::optional<std::uint32_t> group);

}  // namespace snakepit::shm
