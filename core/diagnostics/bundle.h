// SPDX-License-Identifier: MIT
// One file about an instance, to be read on another machine.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <QJsonObject>

#include "base/paths.h"
#include "base/result.h"

namespace snakepit::shm {

// The parts of a bundle, by their names in the archive.
namespace bundle_part {
inline constexpr std::string_view manifest = "manifest.json";
inline constexpr std::string_view registry = "registry/";  // pieces, each named by its place
inline constexpr std::string_view events = "events.db";
inline constexpr std::string_view metrics = "metrics.db";
inline constexpr std::string_view configuration = "config.toml";
// The manager's reports, each as "<topic>.json".
inline constexpr std::array reports{"status", "stats",  "clients",
                                    "arenas", "alerts", "performance"};
inline constexpr std::string_view alerts = "alerts.json";
inline constexpr std::string_view performance = "performance.json";
inline constexpr std::string_view alert_history = "alert_history.json";
inline constexpr std::string_view alert_rules = "alert_rules.json";
inline constexpr std::string_view alert_silences = "alert_silences.json";
inline constexpr std::string_view host = "host.json";
// Stands for all reports when no manager responded. Written to bundles: the name stays.
inline constexpr std::string_view said = "what the manager says";
}  // namespace bundle_part

inline constexpr int kBundleFormat = 1;

// A further document, such as a survey of the host. It is redacted like all others.
struct BundleExtra {
    std::string name;  // "host.json"
    std::string what;  // what it is, for people
    std::function<Result<QJsonObject>()> make;
};

struct BundleRequest {
    InstancePaths paths;
    std::string file;
    bool force = false;     // replaces an existing file
    bool metadata = false;  // includes the regions' metadata, which belong to their users
    std::int64_t events = 100'000;
    std::vector<BundleExtra> extras;
};

struct BundlePart {
    std::string name, what;
    std::uint64_t bytes = 0;  // unpacked
};
struct BundleGap {
    std::string name, why;
};

struct BundleSummary {
    std::string file;
    std::uint64_t bytes = 0;
    std::vector<BundlePart> parts;
    std::vector<BundleGap> left_out;    // parts that were not available
    std::vector<std::string> redacted;  // values that were redacted
};

// Needs no manager; includes its reports when one responds. Never includes contents of regions,
// keys, lease pages, grants, tokens, or environments and command lines of other processes. The file
// appears complete (mode 0600) or not at all.
Result<BundleSummary> write_bundle(const BundleRequest& request);

}  // namespace snakepit::shm
