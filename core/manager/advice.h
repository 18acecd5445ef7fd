// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "manager/config.h"
#include "manager/monitoring.h"
#include "manager/service.h"
#include "telemetry/recommendations.h"

namespace snakepit::shm {

// What the use of this instance suggests, the most urgent first. Service thread; costs as much as
// there are arenas.
std::vector<Recommendation> advice_for(Service& service, const Config& config,
                                       const Monitoring& monitoring);

}  // namespace snakepit::shm
