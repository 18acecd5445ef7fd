// SPDX-License-Identifier: MIT
// Memory file systems, wherever they are mounted, and namespaces kept alive only by a mount.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/handle.h"
#include "survey/host_survey.h"
#include "survey/linux/kept_namespaces.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

// One file system, at its first mount point found.
struct MemoryMount {
    std::uint64_t device = 0;
    MemoryPlace place;
    bool reached = false;  // false: covered by another mount, or access denied
    bool counted = true;   // false: it has no size, and the kernel does not count its contents
};

// The file systems that an overlay is made of.
struct Overlay {
    std::string point;
    std::unordered_set<std::uint64_t> devices;
    bool undetermined = false;  // some of its directories could not be found
};

struct MemoryMounts {
    std::vector<MemoryMount> memory;  // of our own namespace first
    std::vector<KeptNamespace> kept;
    std::unordered_set<std::uint64_t> numbers;  // of all mounts
    std::uint64_t left_out = 0;                 // skipped views above the limit
    // Devices of memory file systems in a view, wherever they are mounted.
    std::map<View, std::vector<std::uint64_t>> views;
    // Mount points where files have other ids, by device.
    std::map<std::uint64_t, std::string> idmapped;
    std::map<std::uint64_t, Overlay> overlays;  // by device
    // Mount points of individually mounted files, by device and inode.
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> files;
};

// The mounts visible to the processes of `table`. A namespace without any of them counts as kept.
MemoryMounts read_mounts(const ProcessTable& table);
// Adds the mounts of the mount namespace `entrance`; false if it cannot be entered.
bool read_mounts_inside(const ProcessTable& table, const KeptNamespace& kept, MemoryMounts& mounts);

// Adds the idmapped mounts of a mountinfo file.
void add_idmapped(std::string_view text, std::map<std::uint64_t, std::string>& out);

// Identified by a directory in it.
void fill_space(MemoryMount& mount, int directory);

}  // namespace snakepit::shm::survey
