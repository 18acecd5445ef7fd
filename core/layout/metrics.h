// SPDX-License-Identifier: MIT
// Names, units and meanings of what is sampled once a second: the same words in alert rules, in the
// history that is kept, in the monitor and for Prometheus (there with snakepit_shm_ in front).
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
    std::string_view name;  // ends in its unit, as Prometheus wants it; a counter in _total
    MetricKind kind;
    MetricUnit unit;
    std::string_view help;                   // one line
    double (*value)(const layout::Sample&);  // in the unit above
    // Follows from others (a share, a percentile): of use in rules and graphs, while Prometheus
    // computes it itself.
    bool derived = false;
};

// In the order they are shown.
std::span<const Metric> metrics();
const Metric* find_metric(std::string_view name);  // null: there is none

// X(name, unit, help): sampled for one subject each (a program, a region, a user) where there is
// something to say; rules know them by name like the others, and get the highest.
#define SNAKEPIT_SHM_SUBJECT_METRICS(X)                                                            \
    X(client_reference_growth, none,                                                               \
      "References a program took in the last minute without giving one back")                      \
    X(region_lock_wait_seconds, seconds, "How long the first in a region's lock queue has waited") \
    X(user_memory_ratio, ratio, "Share of a user's memory quota that is taken")                    \
    X(user_regions_ratio, ratio, "Share of a user's region quota that is taken")

// The value of such a metric for one subject, as of the same second as a sample.
struct SubjectValue {
    std::string_view metric;  // one of the names above
    std::string subject;      // what people call it: "python (4711), worker w3", a region's id …
    double value = 0;
    std::string evidence;  // a sentence: what was counted, since when
};

std::span<const std::string_view> subject_metrics();
MetricUnit subject_unit(std::string_view metric);
std::string_view subject_help(std::string_view metric);

}  // namespace snakepit::shm
