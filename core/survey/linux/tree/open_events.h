// SPDX-License-Identifier: MIT
// Reports which processes create, open and close files of one file system; needs administrator
// privileges.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/handle.h"
#include "base/result.h"
#include "survey/linux/file_events.h"

namespace snakepit::shm::survey {

struct OpenEvent {
    std::int64_t pid = 0;     // 0: in a pid namespace that is not visible
    std::uint64_t inode = 0;  // 0: the file was removed
    // It got a name: it was created, or an existing or nameless file was linked.
    bool named = false;
};

// FileEvents of one file system, by inode. One thread.
class OpenEvents {
  public:
    // Starts watching the file system of `directory`. permission_denied without CAP_SYS_ADMIN;
    // fails with a kernel that does not tell who creates a file.
    static Result<OpenEvents> watch(const Handle& directory);

    int descriptor() const { return events_.descriptor(); }
    // The events since the last call, in order.
    std::vector<OpenEvent> drain();

  private:
    explicit OpenEvents(FileEvents events) : events_(std::move(events)) {}
    std::uint64_t inode_of(std::string handle);

    FileEvents events_;
    Handle directory_;
    std::unordered_map<std::string, std::uint64_t> inodes_;  // by the kernel's file handle
};

}  // namespace snakepit::shm::survey
