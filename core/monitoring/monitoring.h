// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "alerts/alert_manager.h"
#include "config/config.h"
#include "events/event_recorder.h"
#include "host_history/host_recorder.h"
#include "layout/metrics.h"
#include "monitoring/health_logger.h"
#include "monitoring/subject_metrics.h"
#include "monitoring/telemetry_manager.h"
#include "monitoring/usage_history.h"
#include "monitoring/usage_survey.h"
#include "regions/region_service.h"
#include "telemetry/metrics_recorder.h"
#include "telemetry/performance_monitor.h"

namespace snakepit::shm {

// What watches the manager while it works, put together: looks once a second, and hands what it
// sees to whoever keeps, judges or publishes it. Service thread.
class Monitoring {
  public:
    Monitoring(ServiceState& state, const RegionService& service, const EventRecorder& recorder);

    void configure(const Config& config);
    // Before the first second.
    void watch(std::unique_ptr<AlertManager> alerts) { alerts_ = std::move(alerts); }
    AlertManager& alerts() { return *alerts_; }
    const AlertManager& alerts() const { return *alerts_; }
    void on_second();
    // For what watches it from here; it is the monitoring's own.
    HealthLogger& health() const { return *health_; }
    // Where metrics and events are published.
    const TelemetryManager& telemetry() const { return telemetry_; }
    // The next part of the survey; some times a second.
    void run_slice();

    const PerformanceMonitor& performance() const { return performance_; }
    // As of the last second.
    const std::vector<SubjectValue>& subjects() const { return subjects_; }
    // As of the last survey.
    const UsageTables& usage() const { return survey_.last(); }
    const std::vector<GrowingClient>& growing() const { return watched_.growing(); }
    std::string name_of(std::uint64_t serial) const { return watched_.name_of(serial); }
    const UsageHistory& history() const { return history_; }
    MetricsState metrics() const { return keeper_.state(); }
    // Of the history of the host.
    HostRecorderState host() const { return host_ ? host_->state() : HostRecorderState{}; }

  private:
    layout::Sample counts() const;
    void count_locks(layout::Sample& sample) const;
    void measure_files(layout::Sample& sample) const;
    void measure_service(layout::Sample& sample) const;
    // What others timed comes into the registry.
    void collect_times();
    void publish();
    // What the last survey of the host found; once for each survey.
    void look_at_host();

    ServiceState& state_;
    const EventRecorder& recorder_;
    PerformanceMonitor performance_;
    UsageSurvey survey_;
    SubjectMetrics watched_;
    std::vector<SubjectValue> subjects_;
    layout::Histogram lags_;  // of the recorder, as far as they are in the registry
    const std::thread::id starter_ = std::this_thread::get_id();
    std::unique_ptr<AlertManager> alerts_;
    TelemetryManager telemetry_;
    bool enabled_ = true;
    std::unique_ptr<HealthLogger> health_;
    UsageHistory history_;
    std::vector<SubjectValue> host_subjects_;
    std::optional<HostUse> host_use_;
    std::uint64_t host_surveys_ = 0;    // that were looked at
    MetricsRecorder keeper_;            // of samples; its thread ends before the rest
    bool host_names_ = false;           // they are exported
    std::optional<HostRecorder> host_;  // likewise; none before configure()
};

}  // namespace snakepit::shm
