// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "events/event_recorder.h"
#include "manager/config.h"
#include "manager/service.h"
#include "manager/telemetry_manager.h"
#include "telemetry/performance_monitor.h"

namespace snakepit::shm {

// What watches the manager while it works, put together: looks once a second, and hands what it
// sees to whoever keeps, judges or publishes it. Service thread.
class Monitoring {
  public:
    Monitoring(Service& service, const EventRecorder& recorder, const InstancePaths& paths);

    void configure(const Config& config) {
        enabled_ = config.performance_monitoring;
        telemetry_.configure(config.telemetry, config.telemetry_enabled);
    }
    void second();
    // Who is told what about it.
    const TelemetryManager& telemetry() const { return telemetry_; }

  private:
    layout::Sample counts() const;
    void tell();

    Service& service_;
    const EventRecorder& recorder_;
    PerformanceMonitor performance_;
    TelemetryManager telemetry_;
    bool enabled_ = true;
};

}  // namespace snakepit::shm
