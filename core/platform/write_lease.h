// SPDX-License-Identifier: MIT
// Asks the kernel whether another process, in any namespace, has a file open or mapped.
#pragma once

#include <cstdint>

#include "base/handle.h"

namespace snakepit::shm {

enum class WriteLease : std::uint8_t {
    held,           // no other process has the file; opening it blocks until the lease ends
    in_use,         // a process has it open or mapped
    not_to_be_had,  // another user's file, or a file system without leases: unknown
};

// Takes a lease on a regular file opened with O_NONBLOCK. It ends when `file` is closed; hold it
// for a few milliseconds only, because other processes wait meanwhile.
WriteLease take_write_lease(const Handle& file);

// False if a process has tried to open the file since the lease was taken.
bool write_lease_stands(const Handle& file);

}  // namespace snakepit::shm
