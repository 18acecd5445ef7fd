// SPDX-License-Identifier: MIT
// Asks the kernel whether anybody else has a file open or mapped, in any namespace.
#pragma once

#include <cstdint>

#include "base/handle.h"

namespace snakepit::shm {

enum class WriteLease : std::uint8_t {
    held,           // nobody else has the file; who opens it now waits until the lease ends
    in_use,         // somebody has it open or maps it
    not_to_be_had,  // another user's file, or a file system without leases: not known
};

// Takes the lease on a regular file that was opened with O_NONBLOCK. It ends when `file` is closed;
// hold it for a few milliseconds only, because others wait meanwhile.
WriteLease take_write_lease(const Handle& file);

// False when somebody has asked for the file since the lease was taken.
bool write_lease_stands(const Handle& file);

}  // namespace snakepit::shm
