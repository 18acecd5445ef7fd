// SPDX-License-Identifier: MIT
// The metrics exported to Prometheus, with names, units and types by its conventions, and their
// text formats. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "layout/registry_layout.h"

namespace snakepit::shm {

// The text format of Prometheus 0.0.4, and OpenMetrics 1.0.0.
enum class ExpositionFormat : std::uint8_t { classic, openmetrics };
std::string_view content_type(ExpositionFormat format);
// The format that a client with this Accept header prefers; the classic format by default.
ExpositionFormat negotiate(std::string_view accept);

// Regions and their memory by one of their properties.
struct LabelledUse {
    struct Value {
        std::string name;
        std::uint64_t regions = 0;
        std::uint64_t bytes = 0;
    };
    std::string label;  // "user", "session" or "worker"
    std::vector<Value> values;
};

// Shared memory of the whole host, and the names that have the most of it.
struct HostUse {
    struct Value {
        std::string name;
        double segments = 0, bytes = 0, left_bytes = 0;  // left over
    };
    struct Label {
        std::string label;  // "program", "user" or "group"
        std::vector<Value> values;
    };
    Timestamp at;
    double segments = 0, bytes = 0;
    double left_segments = 0, left_bytes = 0;
    double unreadable = 0;       // processes
    std::vector<Label> by_name;  // empty: without names
};

struct AlertCount {
    std::string rule, severity, state;
    std::uint64_t alerts = 1;
};

// Known only to the running manager, which hands it over once a second.
struct ManagerStats {
    std::vector<std::pair<std::string, std::uint64_t>> errors;  // by type
    std::vector<AlertCount> alerts;
    std::optional<HostUse> host;  // none: it is not surveyed
};

struct ExpositionInput {
    std::string version, instance, backend;
    Timestamp at;  // the time of these values
    Timestamp started_at, heartbeat;
    Timestamp counting_since;              // when the histograms were empty
    std::optional<layout::Sample> sample;  // none: nothing is sampled
    std::array<layout::Histogram, layout::kTimed> timed;
    std::vector<LabelledUse> use;
    ManagerStats figures;
};

enum class FamilyKind : std::uint8_t { gauge, counter, histogram, info };

struct FamilyPoint {
    std::string_view suffix;  // "_bucket", "_sum", "_count" of a histogram; else empty
    std::vector<std::pair<std::string, std::string>> labels;
    double value = 0;
};

// Metrics of one name.
struct MetricFamily {
    std::string name;  // without the _total of a counter and the _info of an info
    FamilyKind kind{};
    std::string help;
    std::vector<FamilyPoint> points;
    Timestamp created;  // since when it counts; 0: not known, or it does not
    // The name a point is known by.
    std::string name_of(const FamilyPoint& point) const;
};

// Values of one label; all but the largest are summed as "(other)".
inline constexpr std::size_t kMostLabelValues = 100;
// An older heartbeat means that the manager hangs or has ended.
inline constexpr std::int64_t kFreshMicros = 10'000'000;

std::vector<MetricFamily> metric_families(const ExpositionInput& input);
std::string write_families(const std::vector<MetricFamily>& families, ExpositionFormat format);
inline std::string exposition(const ExpositionInput& input, ExpositionFormat format) {
    return write_families(metric_families(input), format);
}

}  // namespace snakepit::shm
