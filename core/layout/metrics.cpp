// SPDX-License-Identifier: MIT
#include "layout/metrics.h"

#include <algorithm>
#include <array>

namespace snakepit::shm {

namespace {

using layout::Sample;
using layout::Timed;

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}
double seconds(std::uint64_t micros) {
    return static_cast<double>(micros) / 1e6;
}

template <std::uint64_t Sample::*Member>
double plain(const Sample& sample) {
    return static_cast<double>(sample.*Member);
}
template <std::uint64_t Sample::*Member>
double micros(const Sample& sample) {
    return seconds(sample.*Member);
}
template <Timed What, std::uint64_t layout::TimedSample::*Member>
double nanos(const Sample& sample) {
    return static_cast<double>(sample.timed[static_cast<std::size_t>(What)].*Member) / 1e9;
}

constexpr auto kGauge = MetricKind::gauge;
constexpr auto kCounter = MetricKind::counter;
constexpr auto kNone = MetricUnit::none;
constexpr auto kBytes = MetricUnit::bytes;
constexpr auto kSeconds = MetricUnit::seconds;
constexpr auto kRatio = MetricUnit::ratio;

// Four of each, for the list below.
#define PERCENTILE(operation, digits, label, what)                                         \
    Metric {                                                                               \
#operation "_seconds_p" #digits, kGauge, kSeconds, label " in ten seconds: " what, \
            nanos < Timed::operation, &layout::TimedSample::p##digits>, true               \
    }
#define PERCENTILES(operation, what)                                                       \
    PERCENTILE(operation, 50, "Half", what), PERCENTILE(operation, 90, "90 of 100", what), \
        PERCENTILE(operation, 99, "99 of 100", what),                                      \
        PERCENTILE(operation, 999, "999 of 1000", what)

constexpr std::array kMetrics{
    Metric{"regions", kGauge, kNone, "Number of regions", plain<&Sample::regions>},
    Metric{"regions_limit", kGauge, kNone, "Maximum number of regions",
           plain<&Sample::max_regions>},
    Metric{"regions_ratio", kGauge, kRatio, "Share of the region limit in use",
           [](const Sample& s) { return ratio(s.regions, s.max_regions); }, true},
    Metric{"orphan_regions", kGauge, kNone, "Regions whose owner has exited",
           plain<&Sample::orphans>},
    Metric{"orphan_bytes", kGauge, kBytes, "Memory of regions whose owner has exited",
           plain<&Sample::orphan_bytes>},
    Metric{"idle_regions", kGauge, kNone, "Live regions without references",
           plain<&Sample::idle_regions>},
    Metric{"idle_bytes", kGauge, kBytes, "Memory of live regions without references",
           plain<&Sample::idle_bytes>},
    Metric{"quarantined_regions", kGauge, kNone, "Regions in quarantine",
           plain<&Sample::quarantined>},
    Metric{"damaged_regions", kGauge, kNone, "Regions that failed a check",
           plain<&Sample::damaged>},
    Metric{"suspect_regions", kGauge, kNone, "Regions whose writer died in its lock",
           plain<&Sample::inconsistent>},
    Metric{"used_bytes", kGauge, kBytes, "Memory requested by live regions",
           plain<&Sample::bytes_used>},
    Metric{"reserved_bytes", kGauge, kBytes, "Memory allocated from the system for regions",
           plain<&Sample::bytes_reserved>},
    Metric{"memory_limit_bytes", kGauge, kBytes, "Memory limit for all regions",
           plain<&Sample::max_total_memory>},
    Metric{"memory_ratio", kGauge, kRatio, "Share of the memory limit in use",
           [](const Sample& s) { return ratio(s.bytes_used, s.max_total_memory); }, true},
    Metric{"host_shm_size_bytes", kGauge, kBytes, "Size of the host's shared memory file system",
           plain<&Sample::shm_total>},
    Metric{"host_shm_free_bytes", kGauge, kBytes,
           "Free space in the host's shared memory file system", plain<&Sample::shm_free>},
    Metric{"host_shm_ratio", kGauge, kRatio, "Share of the host's shared memory in use",
           [](const Sample& s) { return ratio(s.shm_total - s.shm_free, s.shm_total); }, true},
    Metric{"references", kGauge, kNone, "References held", plain<&Sample::references>},
    Metric{"references_taken_total", kCounter, kNone, "References acquired", plain<&Sample::takes>},
    Metric{"clients", kGauge, kNone, "Programs connected or about to reconnect",
           plain<&Sample::clients>},
    Metric{"leak_suspects", kGauge, kNone, "Programs whose references only grow",
           plain<&Sample::leak_suspects>},
    Metric{"allocations_total", kCounter, kNone, "Regions allocated", plain<&Sample::allocations>},
    Metric{"deallocations_total", kCounter, kNone, "Regions deallocated",
           plain<&Sample::deallocations>},
    Metric{"allocation_failures_total", kCounter, kNone, "Allocations that failed",
           plain<&Sample::allocation_failures>},
    Metric{"errors_total", kCounter, kNone, "Operations that failed", plain<&Sample::errors>},
    Metric{"refusals_total", kCounter, kNone, "Operations refused for security",
           plain<&Sample::refusals>},
    Metric{"locks_held", kGauge, kNone, "Locks held", plain<&Sample::locks_held>},
    Metric{"lock_waiters", kGauge, kNone, "Threads waiting for a lock",
           plain<&Sample::lock_waiters>},
    Metric{"longest_lock_wait_seconds", kGauge, kSeconds, "Longest current wait for a lock",
           micros<&Sample::longest_lock_wait>},
    Metric{"deadlocks_total", kCounter, kNone, "Lock requests refused as a deadlock",
           plain<&Sample::deadlocks>},
    Metric{"lock_timeouts_total", kCounter, kNone, "Lock requests that timed out",
           plain<&Sample::lock_timeouts>},
    Metric{"arenas", kGauge, kNone, "Arenas: segments shared by pooled regions",
           plain<&Sample::arenas>},
    Metric{"arena_bytes", kGauge, kBytes, "Size of all arenas", plain<&Sample::arena_bytes>},
    Metric{"arena_span_bytes", kGauge, kBytes, "Bytes of arenas up to the last region in each",
           plain<&Sample::arena_span>},
    Metric{"arena_holes_bytes", kGauge, kBytes, "Free bytes between regions of arenas",
           plain<&Sample::arena_holes>},
    Metric{"fragmentation_ratio", kGauge, kRatio, "Share of the arenas' span that is free",
           [](const Sample& s) { return ratio(s.arena_holes, s.arena_span); }, true},
    Metric{"events_total", kCounter, kNone, "Events published", plain<&Sample::events>},
    Metric{"events_lost_total", kCounter, kNone, "Events lost before they could be recorded",
           plain<&Sample::events_lost>},
    Metric{"recorder_lag_events", kGauge, kNone, "Events waiting for the database",
           plain<&Sample::recorder_lag>},
    Metric{"recorder_writable", kGauge, kNone, "0 while the event database cannot be written",
           plain<&Sample::recorder_writable>},
    Metric{"database_bytes", kGauge, kBytes, "Size of the event database",
           plain<&Sample::database_bytes>},
    Metric{"database_log_bytes", kGauge, kBytes, "Size of the event database's write-ahead log",
           plain<&Sample::database_log_bytes>},
    Metric{"health_problems", kGauge, kNone,
           "Problems of the last health check without an alert rule of their own",
           plain<&Sample::health_problems>},
    Metric{"alerts_firing", kGauge, kNone, "Firing alerts", plain<&Sample::alerts_firing>},
    Metric{"alerts_unacknowledged", kGauge, kNone, "Firing alerts that are not acknowledged",
           plain<&Sample::alerts_unacknowledged>},
    Metric{"service_cpu_seconds_total", kCounter, kSeconds, "Processor time of the service thread",
           micros<&Sample::service_cpu>},
    Metric{"service_turn_seconds", kGauge, kSeconds, "Longest run of the service loop in a second",
           micros<&Sample::longest_turn>},
    PERCENTILES(allocate, "allocate, in the manager"),
    PERCENTILES(first_map, "the first map, in the manager"),
    PERCENTILES(map, "map, in the client"),
    PERCENTILES(unmap, "unmap, in the client"),
    PERCENTILES(cleanup, "returning a region's memory"),
    PERCENTILES(lock_wait, "waiting for a lock"),
    PERCENTILES(recorder_lag, "from an event to its row in the database"),
};
#undef PERCENTILES
#undef PERCENTILE

struct SubjectMetric {
    std::string_view name;
    MetricUnit unit;
    std::string_view help;
};
constexpr std::array kSubjectMetrics{
#define X(name, unit, help) SubjectMetric{#name, MetricUnit::unit, help},
    SNAKEPIT_SHM_SUBJECT_METRICS(X)
#undef X
};
constexpr auto kSubjectNames = [] {
    std::array<std::string_view, kSubjectMetrics.size()> out;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = kSubjectMetrics[i].name;
    return out;
}();

const SubjectMetric* find_subject(std::string_view name) {
    const auto* found = std::find_if(kSubjectMetrics.begin(), kSubjectMetrics.end(),
                                     [name](const auto& metric) { return metric.name == name; });
    return found == kSubjectMetrics.end() ? nullptr : found;
}

}  // namespace

std::span<const Metric> metrics() {
    return kMetrics;
}

const Metric* find_metric(std::string_view name) {
    const auto* found = std::find_if(kMetrics.begin(), kMetrics.end(),
                                     [name](const Metric& metric) { return metric.name == name; });
    return found == kMetrics.end() ? nullptr : found;
}

std::span<const std::string_view> subject_metrics() {
    return kSubjectNames;
}
MetricUnit subject_unit(std::string_view metric) {
    const auto* found = find_subject(metric);
    return found ? found->unit : MetricUnit::none;
}
std::string_view subject_help(std::string_view metric) {
    const auto* found = find_subject(metric);
    return found ? found->help : std::string_view{};
}

}  // namespace snakepit::shm
