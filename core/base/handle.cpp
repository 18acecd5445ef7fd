// SPDX-License-Identifier: MIT
#include "base/handle.h"

#include <fcntl.h>
#include <unistd.h>

namespace snakepit::shm {

void Handle::reset(int value) {
    // EINTR leaves the descriptor closed on Linux: never retried, or another thread's would go.
    if (value_ != kNone) ::close(value_);
    value_ = value;
}

Handle Handle::duplicate() const {
    return Handle(::fcntl(value_, F_DUPFD_CLOEXEC, 0));
}

}  // namespace snakepit::shm
