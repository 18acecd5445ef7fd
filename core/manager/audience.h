// SPDX-License-Identifier: MIT
#pragma once

#include "base/paths.h"
#include "manager/config.h"

namespace snakepit::shm {

// What the configuration says of who besides our own user may reach the instance, in the numbers of
// this host. configuration_invalid when there is no such group.
Result<Audience> audience_of(const Config& config);

}  // namespace snakepit::shm
