// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm {

// Copies between memory of this process and a mapping that another process may truncate. False: a
// part has no memory any more, and an unknown part was copied. The mapping is not changed: later
// direct access still raises SIGBUS and never reads zeros.
bool copy_from_shared(void* to, const void* shared, std::size_t size);
bool copy_to_shared(void* shared, const void* from, std::size_t size);

}  // namespace snakepit::shm
