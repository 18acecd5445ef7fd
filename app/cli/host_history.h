// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "command.h"
#include "survey/segment_memory.h"

namespace snakepit::shm::cli {

// `host --at`: what the manager of this instance recorded of the host then; reads the database
// itself.
Result<int> run_host_at(const Context& context, const std::string& time);

// What is recorded about single segments; empty where there is no history that may be read.
SegmentMemory remembered_segments(const Context& context);

}  // namespace snakepit::shm::cli
