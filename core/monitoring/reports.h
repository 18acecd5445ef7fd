// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "config/config.h"
#include "events/event_recorder.h"
#include "monitoring/monitoring.h"
#include "regions/region_service.h"

namespace snakepit::shm {

// What a report is made from; borrowed for the call. RegionService thread.
struct ReportSources {
    const InstancePaths& paths;
    const Config& config;
    RegionService& service;
    const EventRecorder& recorder;
    std::size_t connections;
    const Keeping& keeping;
    const Monitoring& monitoring;
    Timestamp started_at;
    const Caller& caller;  // who asks
};

// The JSON document of a topic ("status", "config", "stats", "performance", "health", "clients",
// "arenas"); invalid_argument for another.
Result<std::string> make_report(const std::string& topic, const ReportSources& sources);

}  // namespace snakepit::shm
