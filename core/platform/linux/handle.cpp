// SPDX-License-Identifier: MIT
#include "base/handle.h"

#include <fcntl.h>
#include <unistd.h>

namespace snakepit::shm {

void Handle::reset(int value) {
    // On Linux the descriptor is closed even after EINTR. Never retry: it could close another
    // thread's descriptor.
    if (value_ != kNone) ::close(value_);
    value_ = value;
}

Handle Handle::duplicate() const {
    return Handle(::fcntl(value_, F_DUPFD_CLOEXEC, 0));
}

}  // namespace snakepit::shm
