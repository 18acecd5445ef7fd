// SPDX-License-Identifier: MIT
// A user, mount and IPC namespace for one command, with a /dev/shm that is empty at the start.
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

// In the process that becomes the command; 0 or errno.
int leave_namespaces();
// When its users are mapped: a tmpfs as large as the host's on /dev/shm.
int mount_own_shm();
// What failed, as a sentence that says what an administrator can do.
Error cannot_isolate(int error);

// The same users and groups inside as outside: all of them where we may, else our own.
Status map_users(std::int64_t pid);

// Keeps the namespaces of a process when it has ended.
class OwnNamespaces {
  public:
    static Result<OwnNamespaces> of(std::int64_t pid);
    // The directory of its segments.
    const Handle& shm() const { return shm_; }
    // This process is in them from now on. It must have one thread.
    Status enter() const;

  private:
    OwnNamespaces() = default;
    Handle user_, mount_, ipc_, shm_;
};

}  // namespace snakepit::shm::survey
