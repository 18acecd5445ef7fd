// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "alerts/alert.h"

namespace snakepit::shm {

// The default set: what is wrong on any host, by thresholds that a healthy one does not meet.
std::vector<AlertRule> default_rules();

}  // namespace snakepit::shm
