// SPDX-License-Identifier: MIT
// Who this process acts as, and where.
#pragma once

#include <cstdint>
#include <string>

namespace snakepit::shm {

std::int64_t user_id();  // the effective one
// The name of that user; the number where it has none.
std::string user_name();
std::string host_name();  // empty if unknown

}  // namespace snakepit::shm
