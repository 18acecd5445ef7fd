// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "layout/registry_layout.h"

namespace snakepit::shm {

// Replaces `out` by a JSON object of what `entry`'s count, value and text mean for its kind.
void write_detail(std::string& out, const layout::EventEntry& entry);

}  // namespace snakepit::shm
