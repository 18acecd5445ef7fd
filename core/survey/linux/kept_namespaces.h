// SPDX-License-Identifier: MIT
// Namespaces that no process is part of: a mount or a descriptor keeps them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/handle.h"

namespace snakepit::shm::survey {

class ProcessTable;
struct MemoryMounts;
struct Places;

// A namespace of which no process is part.
struct KeptNamespace {
    std::uint64_t number = 0;
    std::string kind;     // "ipc", "mnt"
    std::string kept_by;  // "the mount /run/ipcns/x", "a descriptor of process 7 (x)"
    Handle entrance;      // what setns() takes; none: it cannot be entered
};

// Runs `work` on a thread of its own inside of the mount namespace; false, with errno, when it may
// not be entered.
bool inside_mounts(const KeptNamespace& kept, const std::function<void()>& work);

// Lets a survey list what is in those that a mount keeps.
void add_kept(const ProcessTable& table, MemoryMounts& mounts, Places& places);

}  // namespace snakepit::shm::survey
