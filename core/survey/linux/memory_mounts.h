// SPDX-License-Identifier: MIT
// File systems of memory, wherever they are mounted, and namespaces that only a mount keeps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/handle.h"
#include "survey/host_survey.h"
#include "survey/linux/kept_namespaces.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

// One file system, where it was seen first.
struct MemoryMount {
    std::uint64_t device = 0;
    MemoryPlace place;
    bool reached = false;  // false: another mount lies over it, or we may not
    bool counted = true;   // false: it has no size, and the kernel does not count what is in it
};

struct MemoryMounts {
    std::vector<MemoryMount> memory;  // of our own namespace first
    std::vector<KeptNamespace> kept;
    std::unordered_set<std::uint64_t> numbers;  // of all mounts
    std::uint64_t left_out = 0;                 // views that were too many
    // Devices of memory that a view has, wherever they are mounted.
    std::map<View, std::vector<std::uint64_t>> views;
    // Files that are mounted at places of their own, by device and inode: where.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> files;
};

// Those that the processes of `table` see. A namespace counts as kept if none of them is part of
// it.
MemoryMounts read_mounts(const ProcessTable& table);
// Adds those of the mount namespace that `entrance` leads to; false when it may not be entered.
bool read_mounts_inside(const ProcessTable& table, const KeptNamespace& kept, MemoryMounts& mounts);

// By a directory in it.
void fill_space(MemoryMount& mount, int directory);

}  // namespace snakepit::shm::survey
