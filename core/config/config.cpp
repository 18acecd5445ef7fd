// SPDX-License-Identifier: MIT
#include "config/config.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/json.h"
#include "config/config_keys.h"
#include "config/config_sections.h"

namespace snakepit::shm {

namespace {

using Place = ConfigPlace;

// Reads a file's tables into a Config.
class Reader {
  public:
    Reader(std::string_view source, Config& config) : source_(source), config_(config) {}

    Status root(const toml::table& root) const {
        for (const auto& [key, node] : root) {
            if (key.str() != "shared_memory")
                return place(key).unknown("section", key.str(), {"shared_memory"});
            SHM_TRY(with_table(key, node, &Reader::shared_memory));
        }
        return {};
    }

    // What no single key can tell; `at` is where the key that is too large stands.
    Status check_limits(const toml::table& root) const {
        const auto at = [&](std::string_view key) {
            const auto node = root["shared_memory"][key];
            return Place{source_,
                         node.node() ? node.node()->source().begin : toml::source_position{1, 1}};
        };
        // A default is never in the way of what was given.
        if (!at_set(root, "max_region_size"))
            config_.max_region_size = std::min(config_.max_region_size, config_.max_total_memory);
        if (!at_set(root, "max_regions_per_process"))
            config_.max_regions_per_process =
                std::min(config_.max_regions_per_process, config_.max_regions);
        if (config_.max_region_size > config_.max_total_memory)
            return at("max_region_size")
                .wrong("max_region_size is larger than max_total_memory",
                       "lower it, or raise max_total_memory");
        if (config_.max_regions_per_process > config_.max_regions)
            return at("max_regions_per_process")
                .wrong("max_regions_per_process is larger than max_regions",
                       "lower it, or raise max_regions");
        return {};
    }

  private:
    using TableReader = Status (Reader::*)(const toml::table&) const;

    static bool at_set(const toml::table& root, std::string_view key) {
        return root["shared_memory"][key].node() != nullptr;
    }
    Place place(const toml::key& key) const { return {source_, key.source().begin}; }

    Status with_table(const toml::key& key, const toml::node& node, TableReader read) const {
        const auto* table = node.as_table();
        if (!table)
            return place(key).wrong(fmt::format("'{}' is not a table", key.str()),
                                    "write it as [section]");
        return (this->*read)(*table);
    }

    Status keys(std::span<const ConfigKey> known, const toml::table& table,
                std::string_view section = {}, TableReader section_reader = nullptr) const {
        for (const auto& [key, node] : table) {
            const auto name = key.str();
            if (section_reader && name == section) {
                SHM_TRY(with_table(key, node, section_reader));
                continue;
            }
            if (section_reader && is_section(name)) {
                SHM_TRY(read_section(name, node, {source_, node.source().begin}, config_));
                continue;
            }
            const auto found = std::find_if(known.begin(), known.end(),
                                            [&](const ConfigKey& k) { return k.name == name; });
            if (found == known.end()) {
                std::vector<std::string_view> names;
                names.reserve(known.size() + 1);
                for (const auto& k : known) names.push_back(k.name);
                if (section_reader) {
                    names.push_back(section);
                    names.insert(names.end(), kSections.begin(), kSections.end());
                }
                return place(key).unknown("key", name, names);
            }
            SHM_TRY(found->read(config_, node, {source_, node.source().begin}));
        }
        return {};
    }

    Status shared_memory(const toml::table& table) const {
        return keys(config_keys(), table, "platform_options", &Reader::platform_options);
    }
    Status platform_options(const toml::table& table) const {
        for (const auto& [key, node] : table) {
            const bool here = key.str() == "linux";
            if (!here && key.str() != "windows")
                return place(key).unknown("platform", key.str(), {"linux", "windows"});
            SHM_TRY(
                with_table(key, node, here ? &Reader::linux_options : &Reader::windows_options));
        }
        return {};
    }
    Status linux_options(const toml::table& table) const {
        return keys(linux_config_keys(), table);
    }
    Status windows_options(const toml::table& table) const {
        return keys(windows_config_keys(), table);
    }

    std::string_view source_;
    Config& config_;
};

void print_all(std::span<const ConfigKey> keys, const Config& config, std::string& out) {
    for (const auto& key : keys) {
        if (out.back() != '{') out += ',';
        append_json_string(out, key.name);
        out += ':';
        key.print(config, out);
    }
}

}  // namespace

Result<Config> Config::parse(std::string_view text, std::string_view source_name) {
    toml::table root;
    try {
        root = toml::parse(text, std::string(source_name));
    } catch (const toml::parse_error& error) {
        return Place{source_name, error.source().begin}.wrong(error.description(),
                                                              "correct the file's syntax");
    }
    Config config;
    const Reader reader(source_name, config);
    SHM_TRY(reader.root(root));
    SHM_TRY(reader.check_limits(root));
    return config;
}

Result<Config> Config::load(const std::string& path) {
    if (path.empty()) return Config{};
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    const bool empty = file.peek() == std::ifstream::traits_type::eof();
    if (!empty) text << file.rdbuf();
    if (!file.is_open() || file.bad() || text.fail())
        return fail(ErrorCode::configuration_invalid,
                    fmt::format("{}:1:1: the file cannot be read", path),
                    "check that it exists and may be read by the manager's user");
    return parse(text.str(), path);
}

std::string Config::to_json() const {
    std::string out = R"({"shared_memory":{)";
    print_all(config_keys(), *this, out);
    out += R"(,"platform_options":{"linux":{)";
    print_all(linux_config_keys(), *this, out);
    out += "}}";
    print_sections(*this, out);
    return out + "}}";
}

std::vector<std::string> Config::needs_restart(const Config& before) const {
    std::vector<std::string> names;
    const auto compare = [&](std::span<const ConfigKey> keys) {
        for (const auto& key : keys) {
            std::string now, then;
            key.print(*this, now);
            key.print(before, then);
            if (!key.live && now != then) names.emplace_back(key.name);
        }
    };
    compare(config_keys());
    compare(linux_config_keys());
    return names;
}

}  // namespace snakepit::shm
