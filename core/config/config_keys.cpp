// SPDX-License-Identifier: MIT
#include "config/config_keys.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <type_traits>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/json.h"
#include "base/units.h"
#include "config/config.h"
#include "config/config_edit.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kStrategies{"best_fit", "first_fit", "worst_fit"};
constexpr std::array<std::string_view, 3> kBackings{"auto", "posix", "memfd"};
constexpr std::array<std::string_view, 3> kOrigins{"off", "creators", "commands"};
constexpr std::int64_t kLongest = 10LL * 365 * 86'400'000;  // ten years, in milliseconds

using Place = ConfigPlace;

// ------------------------------------------------------------------- reading
std::optional<std::string_view> text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return std::string_view(text->get());
    return std::nullopt;
}

template <bool Config::*Member>
Status read_flag(Config& config, const toml::node& node, const Place& place) {
    const auto* flag = node.as_boolean();
    if (!flag) return place.wrong("expected true or false", "write true or false, without quotes");
    config.*Member = flag->get();
    return {};
}

template <std::uint32_t Config::*Member, std::int64_t Least = 1>
Status read_count(Config& config, const toml::node& node, const Place& place) {
    const auto* number = node.as_integer();
    if (!number || number->get() < Least ||
        number->get() > std::numeric_limits<std::uint32_t>::max())
        return place.wrong("expected a number of regions",
                           fmt::format("write a whole number of at least {}", Least));
    config.*Member = static_cast<std::uint32_t>(number->get());
    return {};
}

template <std::uint64_t Config::*Member, std::int64_t Least = 1>
Status read_size(Config& config, const toml::node& node, const Place& place) {
    if (const auto* number = node.as_integer(); number && number->get() >= Least) {
        config.*Member = static_cast<std::uint64_t>(number->get());
        return {};
    }
    const auto bytes = parse_size(text_of(node).value_or("-"));
    if (!bytes || *bytes == 0)
        return place.wrong("expected a size",
                           "write a number of bytes, or \"64KiB\", \"256MiB\", \"4GiB\"");
    config.*Member = *bytes;
    return {};
}

template <std::int64_t Config::*Member, std::int64_t Least>
Status read_duration(Config& config, const toml::node& node, const Place& place) {
    std::optional<std::int64_t> millis;
    if (const auto* number = node.as_integer()) millis = number->get();
    if (const auto text = text_of(node))
        if (const auto parsed = parse_duration(*text)) millis = *parsed;
    if (!millis)
        return place.wrong("expected a duration",
                           "write milliseconds, or \"500ms\", \"30s\", \"5m\", \"12h\", \"90d\"");
    if (*millis < Least || *millis > kLongest)
        return place.wrong("this duration is out of range",
                           fmt::format("write {} to {} milliseconds", Least, kLongest));
    config.*Member = *millis;
    return {};
}

Status read_strategy(Config& config, const toml::node& node, const Place& place) {
    const auto text = text_of(node);
    const auto found = std::find(kStrategies.begin(), kStrategies.end(), text.value_or(""));
    if (found == kStrategies.end())
        return place.wrong("expected an allocation strategy",
                           "write \"best_fit\", \"first_fit\" or \"worst_fit\"");
    config.allocation_strategy = static_cast<AllocationStrategy>(found - kStrategies.begin());
    return {};
}

Status read_level(Config& config, const toml::node& node, const Place& place) {
    const auto level = parse_security_level(text_of(node).value_or(""));
    if (!level)
        return place.wrong("expected a security level",
                           "write \"standard\", \"high\" or \"maximum\"");
    config.security_level = *level;
    return {};
}

Status read_path(Config& config, const toml::node& node, const Place& place) {
    const auto path = text_of(node).value_or("");
    if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos)
        return place.wrong("shm_path is not an absolute path",
                           "write the directory's full path, such as \"/dev/shm\"");
    config.shm_path = path;
    return {};
}

template <std::string Config::*Member>
Status read_text(Config& config, const toml::node& node, const Place& place) {
    const auto text = text_of(node);
    if (!text) return place.wrong("expected a string", "write it in quotes");
    config.*Member = *text;
    return {};
}

Status read_mode(Config& config, const toml::node& node, const Place& place) {
    const auto text = text_of(node).value_or("");
    for (const auto* mode : {"0600", "0660", "0666"}) {
        if (text != mode) continue;
        config.socket_mode = mode;
        return {};
    }
    return place.wrong("expected the mode of a socket", "write \"0600\", \"0660\" or \"0666\"");
}

Status read_backing(Config& config, const toml::node& node, const Place& place) {
    const auto found = std::find(kBackings.begin(), kBackings.end(), text_of(node).value_or(""));
    if (found == kBackings.end())
        return place.wrong("expected a kind of backing", "write \"auto\", \"posix\" or \"memfd\"");
    config.backing = static_cast<BackingChoice>(found - kBackings.begin());
    return {};
}

Status read_origins(Config& config, const toml::node& node, const Place& place) {
    const auto found = std::find(kOrigins.begin(), kOrigins.end(), text_of(node).value_or(""));
    if (found == kOrigins.end())
        return place.wrong("expected what the origin log records",
                           "write \"off\", \"creators\" or \"commands\"");
    config.host_origins = static_cast<HostOrigins>(found - kOrigins.begin());
    return {};
}

// Options of other platforms must be well-formed, but are not kept.
Status check_flag(Config&, const toml::node& node, const Place& place) {
    if (!node.is_boolean())
        return place.wrong("expected true or false", "write true or false, without quotes");
    return {};
}

Status check_text(Config&, const toml::node& node, const Place& place) {
    if (!node.is_string()) return place.wrong("expected a string", "write it in quotes");
    return {};
}

// ------------------------------------------------------------------ printing
template <auto Member>
void print(const Config& config, std::string& out) {
    const auto& value = config.*Member;
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>)
        out += value ? "true" : "false";
    else if constexpr (std::is_same_v<Value, std::string>)
        append_json_string(out, value);
    else if constexpr (std::is_same_v<Value, AllocationStrategy>)
        append_json_string(out, kStrategies[static_cast<std::size_t>(value)]);
    else if constexpr (std::is_same_v<Value, BackingChoice>)
        append_json_string(out, kBackings[static_cast<std::size_t>(value)]);
    else if constexpr (std::is_same_v<Value, HostOrigins>)
        append_json_string(out, kOrigins[static_cast<std::size_t>(value)]);
    else if constexpr (std::is_enum_v<Value>)
        append_json_string(out, to_string(value));
    else
        out += std::to_string(value);
}

// ---------------------------------------------------------------------- keys
using C = Config;
constexpr std::array<ConfigKey, 30> kKeys{{
    {"enabled", read_flag<&C::enabled>, print<&C::enabled>, true},
    {"max_regions", read_count<&C::max_regions>, print<&C::max_regions>, true},
    {"max_region_size", read_size<&C::max_region_size>, print<&C::max_region_size>, true},
    {"max_total_memory", read_size<&C::max_total_memory>, print<&C::max_total_memory>, true},
    {"max_regions_per_process", read_count<&C::max_regions_per_process>,
     print<&C::max_regions_per_process>, true},
    {"max_regions_per_user", read_count<&C::max_regions_per_user, 0>,
     print<&C::max_regions_per_user>, true},
    {"max_memory_per_user", read_size<&C::max_memory_per_user, 0>, print<&C::max_memory_per_user>,
     true},
    {"cleanup_interval", read_duration<&C::cleanup_interval_ms, 10>, print<&C::cleanup_interval_ms>,
     true},
    {"default_timeout", read_duration<&C::default_timeout_ms, 0>, print<&C::default_timeout_ms>,
     true},
    {"grace_period", read_duration<&C::grace_period_ms, 0>, print<&C::grace_period_ms>, true},
    {"quarantine", read_duration<&C::quarantine_ms, 0>, print<&C::quarantine_ms>, true},
    {"quarantine_automatic", read_flag<&C::quarantine_automatic>, print<&C::quarantine_automatic>,
     true},
    {"allocation_strategy", read_strategy, print<&C::allocation_strategy>, true},
    {"enable_defragmentation", read_flag<&C::enable_defragmentation>,
     print<&C::enable_defragmentation>, true},
    {"security_level", read_level, print<&C::security_level>, true},
    {"encryption_enabled", read_flag<&C::encryption_enabled>, print<&C::encryption_enabled>, true},
    {"audit_access", read_flag<&C::audit_access>, print<&C::audit_access>, true},
    {"event_retention", read_duration<&C::event_retention_ms, 0>, print<&C::event_retention_ms>,
     true},
    {"event_max_size", read_size<&C::event_max_size, 0>, print<&C::event_max_size>, true},
    {"secure_cleanup", read_flag<&C::secure_cleanup>, print<&C::secure_cleanup>, true},
    {"telemetry_enabled", read_flag<&C::telemetry_enabled>, print<&C::telemetry_enabled>, true},
    {"performance_monitoring", read_flag<&C::performance_monitoring>,
     print<&C::performance_monitoring>, true},
    {"health_check_interval", read_duration<&C::health_check_interval_ms, 10>,
     print<&C::health_check_interval_ms>, true},
    {"socket_group", read_text<&C::socket_group>, print<&C::socket_group>, false},
    {"socket_mode", read_mode, print<&C::socket_mode>, false},
    {"admin_group", read_text<&C::admin_group>, print<&C::admin_group>, false},
    {"metrics_max_size", read_size<&C::metrics_max_size, 0>, print<&C::metrics_max_size>, true},
    {"host_origins", read_origins, print<&C::host_origins>, true},
    {"host_history_interval", read_duration<&C::host_history_interval_ms, 0>,
     print<&C::host_history_interval_ms>, true},
    {"arena_size", read_size<&C::arena_size, 2 << 20>, print<&C::arena_size>, true},
}};
constexpr std::array<ConfigKey, 3> kLinuxKeys{{
    {"use_hugepages", read_flag<&C::use_hugepages>, print<&C::use_hugepages>, false},
    {"shm_path", read_path, print<&C::shm_path>, false},
    {"backing", read_backing, print<&C::backing>, true},
}};
constexpr std::array<ConfigKey, 2> kWindowsKeys{{
    {"use_large_pages", check_flag, nullptr, true},
    {"security_descriptor", check_text, nullptr, true},
}};

}  // namespace

std::span<const ConfigKey> config_keys() {
    return kKeys;
}

std::span<const ConfigKey> linux_config_keys() {
    return kLinuxKeys;
}

std::span<const ConfigKey> windows_config_keys() {
    return kWindowsKeys;
}

bool waits_for_restart(std::string_view key) {
    const auto waits = [key](std::span<const ConfigKey> keys, std::string_view section) {
        return std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& one) {
            return !one.live && key.size() == section.size() + one.name.size() &&
                   key.starts_with(section) && key.ends_with(one.name);
        });
    };
    return waits(kKeys, "") || waits(kLinuxKeys, "platform_options.linux.");
}

}  // namespace snakepit::shm
