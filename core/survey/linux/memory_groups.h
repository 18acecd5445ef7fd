// SPDX-License-Identifier: MIT
// The control groups that memory is charged to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "platform/linux/control_groups.h"

namespace snakepit::shm::survey {

// Supports version 1, version 2, and both (hybrid). The tree is walked when a group is first asked
// for that was not found before. One thread.
class MemoryGroups {
  public:
    // `proc`: an open directory /proc.
    explicit MemoryGroups(int proc);

    // Why groups cannot be named: a sentence; empty: they can be.
    const std::string& problem() const { return problem_; }
    // Of the directory with this inode: "/system.slice/x.service". Empty: not visible from here.
    std::string path_of(std::uint64_t inode);
    // The nearest group at or above `path` that exists.
    std::string existing(std::string path) const;
    // What `path` uses; empty: it cannot be read, or the root, which has no limit.
    std::optional<GroupUse> use_of(const std::string& path) const;

  private:
    std::string directory_of(const std::string& path) const;
    void walk();

    std::optional<MemoryHierarchy> tree_;
    std::string problem_;
    std::unordered_map<std::uint64_t, std::string> paths_;
    bool walked_ = false;
};

}  // namespace snakepit::shm::survey
