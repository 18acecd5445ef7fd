// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "events/event_recorder.h"
#include "manager/config.h"
#include "manager/monitoring.h"
#include "manager/server.h"
#include "manager/service.h"

namespace snakepit::shm {

// What a report is made from; borrowed for the call. Service thread.
struct ReportSources {
    const InstancePaths& paths;
    const Config& config;
    Service& service;
    const EventRecorder& recorder;
    const Server& server;
    const Keeping& keeping;
    const Monitoring& monitoring;
    Timestamp started_at;
    const Caller& caller;  // who asks
};

// The JSON document of a topic ("status", "config", "stats", "performance", "health", "clients",
// "arenas"); invalid_argument for another.
Result<std::string> make_report(const std::string& topic, const ReportSources& sources);

}  // namespace snakepit::shm
