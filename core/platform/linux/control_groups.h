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
    std::string not_known;  // why some cannot be read; empty: all can be read be read
};

// `membership`: the text of /proc/self/cgroup.
ControlGroups find_control_groups(const std::string& root, std::string_view membership);

// Invalid if it cannot be opened; sets errno.
Handle open_to_read(const std::string& path);

// A whole small file, read from its beginning.
std::optional<std::string> read_again(const Handle& file);

}  // namespace snakepit::shm
