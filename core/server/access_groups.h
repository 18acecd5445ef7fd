// SPDX-License-Identifier: MIT
#pragma once

#include "base/paths.h"
#include "config/config.h"

namespace snakepit::shm {

// What the configuration says of who besides our own user may reach the instance, in the numbers of
// this host. configuration_invalid when there is no such group.
Result<AccessGroups> find_access_groups(const Config& config);

}  // namespace snakepit::shm
