// SPDX-License-Identifier: MIT
#pragma once

#include "base/paths.h"
#include "config/config.h"

namespace snakepit::shm {

// Who besides our own user may reach the instance by the configuration, in the numbers of this
// host. configuration_invalid: a group does not exist.
Result<AccessGroups> find_access_groups(const Config& config);

}  // namespace snakepit::shm
