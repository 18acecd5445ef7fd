// SPDX-License-Identifier: MIT
// A user, mount and IPC namespace for one command, with an initially empty /dev/shm.
#pragma once

#include <cstdint>

#include "base/handle.h"
#include "base/result.h"

namespace snakepit::shm::survey {

inline constexpr auto kSharedMemory = "/dev/shm";

// In the process that becomes the command; 0 or errno.
int leave_namespaces();
// After its users are mapped: mounts a tmpfs of the host's size on /dev/shm.
int mount_own_shm();
// An error with a remedy for administrators.
Error cannot_isolate(int error);

// Maps the same users and groups inside as outside: all of them if permitted, else our own.
Status map_users(std::int64_t pid);

// Keeps the namespaces of a process after it has ended.
class OwnNamespaces {
  public:
    static Result<OwnNamespaces> of(std::int64_t pid);
    // The directory of its segments.
    const Handle& shm() const { return shm_; }
    // Moves this process into them. It must have one thread.
    Status enter() const;

  private:
    OwnNamespaces() = default;
    Handle user_, mount_, ipc_, shm_;
};

}  // namespace snakepit::shm::survey
