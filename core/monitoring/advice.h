// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "config/config.h"
#include "monitoring/monitoring.h"
#include "regions/region_service.h"
#include "telemetry/recommendations.h"

namespace snakepit::shm {

// What the use of this instance suggests, the most urgent first. RegionService thread; costs as
// much as there are arenas.
std::vector<Recommendation> advice_for(RegionService& service, const Config& config,
                                       const Monitoring& monitoring);

}  // namespace snakepit::shm
