// SPDX-License-Identifier: MIT
// Namespaces without processes, kept alive by a mount or a descriptor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/handle.h"

namespace snakepit::shm::survey {

class ProcessTable;
struct MemoryMounts;
struct Places;

// A namespace without processes.
struct KeptNamespace {
    std::uint64_t number = 0;
    std::string kind;     // "ipc", "mnt"
    std::string kept_by;  // "the mount /run/ipcns/x", "a descriptor of process 7 (x)"
    Handle entrance;      // what setns() takes; none: it cannot be entered
};

// Runs `work` on a new thread inside the mount namespace; false, with errno, if it cannot be
// entered.
bool inside_mounts(const KeptNamespace& kept, const std::function<void()>& work);

// Adds the contents of namespaces kept by a mount to a survey.
void add_kept(const ProcessTable& table, MemoryMounts& mounts, Places& places);

}  // namespace snakepit::shm::survey
