// SPDX-License-Identifier: MIT
// Names, units and help texts of the metrics sampled once a second. Alert rules, the stored
// history, the monitor and Prometheus (with the prefix snakepit_shm_) use the same names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "layout/registry_layout.h"

namespace snakepit::shm {

enum class MetricKind : std::uint8_t { gauge, counter };
enum class MetricUnit : std::uint8_t { none, bytes, seconds, ratio };

struct Metric {
    std::string_view name;  // ends with its unit, as Prometheus requires; a counter with _total
    MetricKind kind;
    MetricUnit unit;
    std::string_view help;                   // one line
    double (*value)(const layout::Sample&);  // in the unit above
    // Derived from others (a share, a percentile): used in rules and graphs; Prometheus computes it
    // itself.
    bool derived = false;
};

// In display order.
std::span<const Metric> metrics();
const Metric* find_metric(std::string_view name);  // null: unknown

// X(name, unit, help): sampled per subject (a program, a region, a user). Rules refer to them by
// name and use the highest value.
#define SNAKEPIT_SHM_SUBJECT_METRICS(X)                                         \
    X(client_reference_growth, none,                                            \
      "References a program acquired in the last minute without releasing one") \
    X(region_lock_wait_seconds, seconds,                                        \
      "Waiting time of the first request in a region's lock queue")             \
    X(user_memory_ratio, ratio, "Share of a user's memory quota in use")        \
    X(user_regions_ratio, ratio, "Share of a user's region quota in use")       \
    X(host_program_growth_bytes, bytes,                                         \
      "Growth of a program's shared memory on the host that was not released")

// The value of such a metric for one subject, at the time of a sample.
struct SubjectValue {
    std::string_view metric;  // one of the names above
    std::string subject;      // the display name: "python (4711), worker w3", a region's id …
    double value = 0;
    std::string evidence;  // a sentence: what was counted and since when
};

std::span<const std::string_view> subject_metrics();
MetricUnit subject_unit(std::string_view metric);
std::string_view subject_help(std::string_view metric);

}  // namespace snakepit::shm
