// SPDX-License-Identifier: MIT
// Reports which processes create, open and close files of one file system; needs administrator
// privileges.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

struct OpenEvent {
    std::int64_t pid = 0;     // 0: in a pid namespace that is not visible
    std::uint64_t inode = 0;  // 0: the file was removed
    // It got a name: it was created, or an existing or nameless file was linked.
    bool named = false;
};

// fanotify(7) events that identify the file without opening it, so that they break no lease. One
// thread.
class OpenEvents {
  public:
    // Starts watching the file system of `directory`. permission_denied without CAP_SYS_ADMIN;
    // fails with a kernel that does not tell who creates a file.
    static Result<OpenEvents> watch(const Handle& directory);

    int descriptor() const { return events_.get(); }
    // The events since the last call, in order.
    std::vector<OpenEvent> drain();

  private:
    OpenEvents() = default;
    std::uint64_t inode_of(std::string handle);

    Handle directory_, events_;
    std::unordered_map<std::string, std::uint64_t> inodes_;  // by the kernel's file handle
};

}  // namespace snakepit::shm::survey
