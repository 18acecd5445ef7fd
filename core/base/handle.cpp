// SPDX-License-Identifier: MIT
#include "base/handle.h"

#include <unistd.h>

namespace snakepit::shm {

void Handle::reset(int value) {
    // EINTR leaves the descriptor closed on Linux: never retried, or another thread's would go.
    if (value_ != kNone) ::close(value_);
    value_ = value;
}

}  // namespace snakepit::shm
