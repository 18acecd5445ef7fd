// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"

namespace snakepit::shm {

// Like `{}`, where nanoseconds count: `{}` also clears the room for an Error, because a constructor
// that is a constant expression is compiled to its bytes. A copy writes only what is needed.
inline const Status kSuccess;

}  // namespace snakepit::shm
