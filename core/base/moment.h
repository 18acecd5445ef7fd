// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm {

// What a person writes: "2026-11-22T22:17:35Z", or how long ago, such as "10m".
Result<Timestamp> parse_moment(std::string_view text);

}  // namespace snakepit::shm
