// SPDX-License-Identifier: MIT
// The parts of the configuration that are more than a key and a value: the default policy, roles
// and quotas.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "base/result.h"

namespace snakepit::shm {

struct Config;
struct TelemetryOptions;

// Where in the file something stands, and how to complain about it.
struct ConfigPlace {
    std::string_view source;
    toml::source_position at;

    tl::unexpected<Error> wrong(std::string_view what, std::string remedy) const;
    // With the nearest of those that are known, where one is near.
    tl::unexpected<Error> unknown(std::string_view kind, std::string_view key,
                                  const std::vector<std::string_view>& known) const;
    ConfigPlace of(const toml::node& node) const { return {source, node.source().begin}; }
    ConfigPlace of(const toml::key& key) const { return {source, key.source().begin}; }
};

inline constexpr std::array<std::string_view, 5> kSections{
    "policy",    "roles", "quotas",  // config_sections.cpp
    "alerts",                        // config_alerts.cpp
    "telemetry",                     // config_telemetry.cpp
};
bool is_section(std::string_view name);
// One of kSections.
Status read_section(std::string_view name, const toml::node& node, const ConfigPlace& place,
                    Config& config);
// config_alerts.cpp
Status read_alerts(const toml::table& table, const ConfigPlace& place, Config& config);
void print_alerts(const Config& config, std::string& out);  // ,"alerts":{…}
// Appends ,"policy":{…},"roles":{…},"quotas":{…} and so on.
void print_sections(const Config& config, std::string& out);

// What sections are made of.
Result<std::string> read_text(const toml::node& node, const ConfigPlace& place);  // not empty
Status read_flag(const toml::node& node, const ConfigPlace& place, bool& out);
Result<const toml::table*> table_of(const toml::node& node, const ConfigPlace& place);
void print_names(const std::vector<std::string>& names, std::string& out);

// config_telemetry.cpp
Status read_telemetry(const toml::table& table, const ConfigPlace& place, TelemetryOptions& out);
void print_telemetry(const TelemetryOptions& options, std::string& out);

}  // namespace snakepit::shm
