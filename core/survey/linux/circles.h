// SPDX-License-Identifier: MIT
// Control groups and pid namespaces of recorded processes: whether anything of them is left.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "survey/linux/process_table.h"
#include "survey/origin.h"

namespace snakepit::shm::survey {

// Control groups of version 2, as the whole system has them.
class GroupTree {
  public:
    // Invalid where they are not mounted, or only a part of them is visible here.
    static GroupTree open();
    bool valid() const { return root_.valid(); }

    // The inode of the group's directory, which no other group gets until the next boot; 0: not
    // known.
    std::uint64_t id_of(const std::string& path) const;
    // Whether no process is left in this group and in those below it.
    Answer is_empty(const std::string& path, std::uint64_t id) const;

  private:
    Handle root_;
};

// The path in the hierarchy of version 2, from /proc/<pid>/cgroup; empty: not known.
std::string group_in(std::string_view groups);

// Yes if its control group has no processes any more, or its pid namespace has ended.
Answer circle_ended(const RecordedProcess& process, const GroupTree& groups,
                    const ProcessTable& table);

}  // namespace snakepit::shm::survey
