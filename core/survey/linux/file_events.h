// SPDX-License-Identifier: MIT
// The kernel's reports about the files of whole file systems.
#pragma once

#include <sys/fanotify.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

struct FileEvent {
    std::uint64_t what = 0;  // FAN_CREATE, FAN_OPEN …; FAN_Q_OVERFLOW: events were lost
    std::int64_t pid = 0;    // 0: in a pid namespace that is not visible
    // A descriptor of that process, with FAN_REPORT_PIDFD; invalid if it had already ended.
    Handle process;
    std::uint64_t file_system = 0;  // see file_system_of()
    // The kernel's file handle, which no other file of the file system gets until the next boot.
    // Valid during the call, as are the names; empty if the kernel gave none.
    std::string_view file;
    std::string_view name, new_name;  // of FAN_RENAME the old one and the new one
};

// fanotify(7) with handles in place of descriptors: files are not opened, so leases stay. It only
// observes: no process waits for it. One thread.
class FileEvents {
  public:
    // `flags`: for fanotify_init(), besides those that are always set. permission_denied without
    // CAP_SYS_ADMIN; not_supported by kernels that do not tell who creates a file (before 5.17).
    static Result<FileEvents> open(unsigned flags);
    // Adds the file system of `directory`. `events`: FAN_CREATE …
    Status watch(int directory, std::uint64_t events);

    int descriptor() const { return group_.get(); }
    // Reports what is waiting, in order, at most about `most` events. False: nothing is left.
    bool drain(std::size_t most, const std::function<void(FileEvent&)>& tell);

  private:
    Handle group_;
};

// The number in FileEvent; 0 if it cannot be read.
std::uint64_t file_system_of(int file);

// The handle of an open file (O_PATH suffices), as FileEvent has it; empty if there is none.
std::string file_handle_of(int file);

}  // namespace snakepit::shm::survey
