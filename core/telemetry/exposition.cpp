// SPDX-License-Identifier: MIT
// The metric families. exposition_text.cpp writes them.
#include "telemetry/exposition.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/json.h"
#include "layout/metrics.h"

namespace snakepit::shm {

namespace {

using layout::Histogram;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kPrefix = "snakepit_shm_";
// An older sample is not current.
constexpr std::int64_t kStaleMicros = 60'000'000;
constexpr std::string_view kTotal = "_total";

// Bounds of the exported buckets, as powers of two of nanoseconds: the fine buckets end there, so
// that counts are exact. 256 ns to 69 s; finer where operations usually are.
constexpr std::array kBoundBits{8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18,
                                19, 20, 22, 24, 26, 28, 30, 32, 34, 36};

double seconds(Timestamp time) {
    return static_cast<double>(time.micros) / 1e6;
}

MetricFamily family(std::string_view name, FamilyKind kind, std::string_view help) {
    return {fmt::format("{}{}", kPrefix, name), kind, std::string(help), {}, {}};
}

MetricFamily gauge(std::string_view name, std::string_view help, double value) {
    auto out = family(name, FamilyKind::gauge, help);
    out.points.push_back({{}, {}, value});
    return out;
}

void add_manager(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    auto info = family("", FamilyKind::info, "Which manager this is");
    info.name.pop_back();  // its suffix brings the underscore back
    info.points.push_back({{},
                           {{"version", valid_utf8(in.version)},
                            {"instance", valid_utf8(in.instance)},
                            {"backend", valid_utf8(in.backend)}},
                           1});
    out.push_back(std::move(info));
    const bool up = in.at.micros - in.heartbeat.micros < kFreshMicros;
    out.push_back(gauge("up", "1 while the manager is healthy", up ? 1 : 0));
    out.push_back(gauge("start_time_seconds", "When the manager started, since 1970",
                        seconds(in.started_at)));
    out.push_back(gauge("heartbeat_timestamp_seconds", "Last heartbeat of the manager, since 1970",
                        seconds(in.heartbeat)));
}

void add_sampled(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    if (!in.sample || in.at.micros - in.sample->time > kStaleMicros) return;
    for (const auto& metric : metrics()) {
        if (metric.derived) continue;
        const bool counts = metric.kind == MetricKind::counter;
        auto name = metric.name;
        if (counts && name.ends_with(kTotal)) name.remove_suffix(kTotal.size());
        auto added = family(name, counts ? FamilyKind::counter : FamilyKind::gauge, metric.help);
        added.points.push_back({{}, {}, metric.value(*in.sample)});
        out.push_back(std::move(added));
    }
}

void add_histogram(std::string_view operation, const Histogram& timed, MetricFamily& out) {
    const Labels labels{{"operation", std::string(operation)}};
    std::uint64_t below = 0;
    std::uint32_t bucket = 0;
    for (const int bits : kBoundBits) {
        const auto end = layout::bucket_of(std::uint64_t{1} << bits);
        for (; bucket < end; ++bucket) below += timed.buckets[bucket];
        auto bounded = labels;
        bounded.emplace_back(
            "le", fmt::format("{}", static_cast<double>(std::uint64_t{1} << bits) / 1e9));
        out.points.push_back({"_bucket", std::move(bounded), static_cast<double>(below)});
    }
    auto all = labels;
    all.emplace_back("le", "+Inf");
    out.points.push_back({"_bucket", std::move(all), static_cast<double>(timed.count)});
    out.points.push_back({"_sum", labels, static_cast<double>(timed.sum) / 1e9});
    out.points.push_back({"_count", labels, static_cast<double>(timed.count)});
}

void add_timed(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    auto added = family("operation_duration_seconds", FamilyKind::histogram,
                        "Duration of operations; map and unmap are sampled");
    added.created = in.counting_since;
    for (std::size_t i = 0; i < layout::kTimed; ++i)
        add_histogram(layout::kTimedNames[i], in.timed[i], added);
    out.push_back(std::move(added));
}

// The largest by name, and the rest as one. Names that are equal after escaping are one.
std::vector<LabelledUse::Value> bounded(const std::vector<LabelledUse::Value>& values) {
    std::map<std::string, LabelledUse::Value> by_name;
    const auto add = [&by_name](std::string name, const LabelledUse::Value& value) {
        auto& sum = by_name[name];
        sum.name = std::move(name);
        sum.regions += value.regions;
        sum.bytes += value.bytes;
    };
    auto sorted = values;
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
        return std::pair(b.bytes, a.name) < std::pair(a.bytes, b.name);
    });
    for (const auto& value : sorted) {
        auto name = valid_utf8(value.name);
        const bool room = by_name.size() < kMostLabelValues || by_name.contains(name);
        add(room ? std::move(name) : "(other)", value);
    }
    std::vector<LabelledUse::Value> out;
    for (auto& [name, value] : by_name) out.push_back(std::move(value));
    return out;
}

void add_use(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    for (const auto& use : in.use) {
        auto regions = family(use.label + "_regions", FamilyKind::gauge,
                              fmt::format("Regions by {}", use.label));
        auto bytes = family(use.label + "_bytes", FamilyKind::gauge,
                            fmt::format("Bytes requested by regions, by {}", use.label));
        for (const auto& value : bounded(use.values)) {
            const Labels labels{{use.label, value.name}};
            regions.points.push_back({{}, labels, static_cast<double>(value.regions)});
            bytes.points.push_back({{}, labels, static_cast<double>(value.bytes)});
        }
        out.push_back(std::move(regions));
        out.push_back(std::move(bytes));
    }
}

void add_figures(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    auto errors = family("errors_by_type", FamilyKind::counter, "Failed operations by type");
    errors.created = in.started_at;
    for (const auto& [type, count] : in.figures.errors)
        errors.points.push_back({{}, {{"type", valid_utf8(type)}}, static_cast<double>(count)});
    out.push_back(std::move(errors));

    std::map<Labels, std::uint64_t> counts;
    for (const auto& alert : in.figures.alerts)
        counts[{{"rule", valid_utf8(alert.rule)},
                {"severity", valid_utf8(alert.severity)},
                {"state", valid_utf8(alert.state)}}] += alert.alerts;
    auto alerts = family("alerts", FamilyKind::gauge, "Alerts by rule and state");
    for (const auto& [labels, count] : counts)
        alerts.points.push_back({{}, labels, static_cast<double>(count)});
    out.push_back(std::move(alerts));
}

// The names are bounded by whoever counts them.
void add_host_names(const HostUse::Label& use, std::vector<MetricFamily>& out) {
    auto segments = family(fmt::format("host_{}_segments", use.label), FamilyKind::gauge,
                           fmt::format("Segments of the host by {}", use.label));
    auto bytes = family(fmt::format("host_{}_bytes", use.label), FamilyKind::gauge,
                        fmt::format("Resident bytes of segments of the host by {}", use.label));
    auto left = family(fmt::format("host_{}_left_over_bytes", use.label), FamilyKind::gauge,
                       fmt::format("Bytes of left-over segments of the host by {}", use.label));
    for (const auto& value : use.values) {
        const Labels labels{{use.label, valid_utf8(value.name)}};
        segments.points.push_back({{}, labels, value.segments});
        bytes.points.push_back({{}, labels, value.bytes});
        left.points.push_back({{}, labels, value.left_bytes});
    }
    for (auto* added : {&segments, &bytes, &left}) out.push_back(std::move(*added));
}

void add_host(const ExpositionInput& in, std::vector<MetricFamily>& out) {
    if (!in.figures.host) return;
    const auto& host = *in.figures.host;
    out.push_back(gauge("host_survey_timestamp_seconds",
                        "Last survey of the host's shared memory, since 1970", seconds(host.at)));
    out.push_back(gauge("host_segments", "Segments of the host that the manager's user may see",
                        host.segments));
    out.push_back(gauge("host_segment_bytes", "Resident bytes of these segments", host.bytes));
    out.push_back(gauge("host_left_over_segments", "Segments of the host that were left over",
                        host.left_segments));
    out.push_back(
        gauge("host_left_over_bytes", "Resident bytes of left-over segments", host.left_bytes));
    out.push_back(gauge("host_unreadable_processes",
                        "Processes that the last survey could not inspect", host.unreadable));
    for (const auto& use : host.by_name) add_host_names(use, out);
}

}  // namespace

std::string MetricFamily::name_of(const FamilyPoint& point) const {
    if (kind == FamilyKind::counter) return name + std::string(kTotal);
    if (kind == FamilyKind::info) return name + "_info";
    return name + std::string(point.suffix);
}

std::vector<MetricFamily> metric_families(const ExpositionInput& input) {
    std::vector<MetricFamily> out;
    add_manager(input, out);
    add_sampled(input, out);
    add_timed(input, out);
    add_use(input, out);
    add_figures(input, out);
    add_host(input, out);
    std::erase_if(out, [](const MetricFamily& family) { return family.points.empty(); });
    return out;
}

}  // namespace snakepit::shm
