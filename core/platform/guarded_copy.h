// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace snakepit::shm {

// Copies between memory of this process and a mapping that somebody else may cut short. False, with
// an unknown part copied: some of it has no memory any more. The mapping stays as it is: whoever
// touches it directly afterwards is told by SIGBUS as ever, and never reads zeros.
bool copy_from_shared(void* to, const void* shared, std::size_t size);
bool copy_to_shared(void* shared, const void* from, std::size_t size);

}  // namespace snakepit::shm
