// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "events/event_recorder.h"
#include "monitoring/monitoring.h"
#include "regions/region_service.h"

namespace snakepit::shm {

// What a report is made from; borrowed for the call. Service thread.
struct ReportSources {
    const ServiceState& state;
    RegionService& service;
    const EventRecorder& recorder;
    std::size_t connections;
    const Monitoring& monitoring;
    Timestamp started_at;
    const Caller& caller;  // who asks
};

// The JSON document of a topic ("status", "config", "stats", "performance", "health", "clients",
// "arenas"); invalid_argument for another.
Result<std::string> make_report(const std::string& topic, const ReportSources& sources);

}  // namespace snakepit::shm
