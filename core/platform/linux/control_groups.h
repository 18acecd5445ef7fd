// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"

namespace snakepit::shm {

// One control group with a memory controller; its files stay open.
struct ControlGroup {
    std::string name;  // as in /proc/self/cgroup
    Handle limit;      // memory.max, or memory.limit_in_bytes
    Handle high;       // memory.high; not in version 1
    Handle usage, stat;
    std::string_view idle_key;  // key in `stat` for the pages of files not used lately
};

// The groups that limit this process, its own first.
struct ControlGroups {
    std::vector<ControlGroup> groups;
    std::string not_known;  // why some cannot be read; empty: all can be read
};

// `membership`: the text of /proc/self/cgroup.
ControlGroups find_control_groups(const std::string& root, std::string_view membership);

// Where the memory controller's groups are: directories below `point`. `top` is the group there.
struct MemoryHierarchy {
    bool version_2 = false;
    std::string top, point;
};
// `mountinfo`: the text of /proc/self/mountinfo. Where both versions are mounted (hybrid), the one
// that has the memory controller.
std::optional<MemoryHierarchy> find_memory_hierarchy(std::string_view mountinfo);

// What a group and the groups below it use.
struct GroupUse {
    std::uint64_t limit = 0;   // bytes; 0: none
    std::uint64_t used = 0;    // without pages of files that were not used lately
    std::uint64_t shared = 0;  // of it shared memory
};
// Empty if it cannot be read. `directory`: of the group.
std::optional<GroupUse> read_group_use(const std::string& directory, bool version_2);

// Version 1 writes "no limit" as the largest number of whole pages.
inline constexpr std::uint64_t kNoGroupLimit = 1ULL << 62;

// The number that a text begins with; "max" is none.
std::optional<std::uint64_t> leading_number(std::string_view text);
// The number after `key` on its line.
std::optional<std::uint64_t> number_of_line(std::string_view text, std::string_view key);

// Invalid if it cannot be opened; sets errno.
Handle open_to_read(const std::string& path);

// A whole small file, read from its beginning.
std::optional<std::string> read_again(const Handle& file);

}  // namespace snakepit::shm
