// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

#include "events/event_recorder.h"
#include "manager/config.h"
#include "manager/health_logger.h"
#include "manager/service.h"
#include "telemetry/performance_monitor.h"

namespace snakepit::shm {

// What watches the manager while it works, put together: looks once a second, and hands what it
// sees to whoever keeps, judges or publishes it. Service thread.
class Monitoring {
  public:
    Monitoring(Service& service, const EventRecorder& recorder);

    void configure(const Config& config) { enabled_ = config.performance_monitoring; }
    void second();
    // For what watches it from here; it is the monitoring's own.
    HealthLogger& health() const { return *health_; }

  private:
    layout::Sample counts() const;

    Service& service_;
    const EventRecorder& recorder_;
    PerformanceMonitor performance_;
    bool enabled_ = true;
    std::unique_ptr<HealthLogger> health_;
};

}  // namespace snakepit::shm
