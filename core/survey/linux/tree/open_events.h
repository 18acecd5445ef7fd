// SPDX-License-Identifier: MIT
// Who opens files of one file system, as the kernel reports it to an administrator.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

struct OpenEvent {
    std::int64_t pid = 0;     // 0: in a pid namespace that we do not see
    std::uint64_t inode = 0;  // 0: the file is gone
};

// Events of fanotify(7) that name the file and open nothing: no lease is broken by them. One
// thread.
class OpenEvents {
  public:
    // From now on, on the file system of `directory`. permission_denied without CAP_SYS_ADMIN.
    static Result<OpenEvents> watch(const Handle& directory);

    int descriptor() const { return events_.get(); }
    // Those since the last call, in their order.
    std::vector<OpenEvent> drain();

  private:
    OpenEvents() = default;
    std::uint64_t inode_of(std::string handle);

    Handle directory_, events_;
    std::unordered_map<std::string, std::uint64_t> inodes_;  // by the kernel's handle of a file
};

}  // namespace snakepit::shm::survey
