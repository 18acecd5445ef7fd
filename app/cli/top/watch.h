// SPDX-License-Identifier: MIT
#pragma once

#include "base/paths.h"
#include "base/result.h"
#include "top/source.h"

namespace snakepit::shm::cli {

// The terminal monitor, until the person leaves it.
Status watch(const InstancePaths& paths, Source source);

}  // namespace snakepit::shm::cli
