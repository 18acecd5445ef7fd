// SPDX-License-Identifier: MIT
// [shared_memory.alerts]: whether rules are evaluated, and who is notified.
#include <fmt/format.h>

#include "base/json.h"
#include "config/config.h"
#include "config/config_sections.h"

namespace snakepit::shm {

namespace {

constexpr std::array<std::string_view, 3> kSeverities{"info", "warning", "critical"};

Status read_command(const toml::node& node, const ConfigPlace& place,
                    std::vector<std::string>& out) {
    const auto remedy = R"(write [ "/usr/local/bin/tell", "--all" ]: its full path, and arguments)";
    const auto* list = node.as_array();
    if (!list) return place.of(node).wrong("expected a list", remedy);
    std::vector<std::string> words;
    for (const auto& entry : *list) {
        const auto* word = entry.as_string();
        if (!word || word->get().find('\0') != std::string::npos)
            return place.of(entry).wrong("expected a string", remedy);
        words.push_back(word->get());
    }
    if (!words.empty() && !words.front().starts_with('/'))
        return place.of(node).wrong("expected the command's full path", remedy);
    out = std::move(words);
    return {};
}

Status read_webhook(const toml::node& node, const ConfigPlace& place, std::string& out) {
    const auto* text = node.as_string();
    const auto url = text ? text->get() : std::string("-");
    const bool web = url.starts_with("http://") || url.starts_with("https://");
    const auto host = url.find("://") + 3;
    const bool named = web && url.size() > host && url[host] != '/' && url[host] != ':';
    const bool clean = url.find_first_of(" \t\r\n") == std::string::npos;
    if (!url.empty() && (!named || !clean))
        return place.of(node).wrong("expected the URL of a webhook",
                                    R"(write one as "http://127.0.0.1:9093/hook", or "" for none)");
    out = url;
    return {};
}

Status read_severity(const toml::node& node, const ConfigPlace& place, AlertSeverity& out) {
    const auto* text = node.as_string();
    for (std::size_t i = 0; text && i < kSeverities.size(); ++i) {
        if (text->get() != kSeverities[i]) continue;
        out = static_cast<AlertSeverity>(i);
        return {};
    }
    return place.of(node).wrong("expected a severity", R"(write "info", "warning" or "critical")");
}

}  // namespace

Status read_alerts(const toml::table& table, const ConfigPlace& place, Config& config) {
    auto& options = config.alerts;
    for (const auto& [key, value] : table) {
        if (key == "enabled") {
            SHM_TRY(read_flag(value, place, options.enabled));
        } else if (key == "journal") {
            SHM_TRY(read_flag(value, place, options.journal));
        } else if (key == "command") {
            SHM_TRY(read_command(value, place, options.command));
        } else if (key == "webhook") {
            SHM_TRY(read_webhook(value, place, options.webhook));
        } else if (key == "min_severity") {
            SHM_TRY(read_severity(value, place, options.min_severity));
        } else {
            return place.of(key).unknown(
                "key", key.str(), {"enabled", "journal", "command", "webhook", "min_severity"});
        }
    }
    return {};
}

void print_alerts(const Config& config, std::string& out) {
    const auto& options = config.alerts;
    out += fmt::format(R"(,"alerts":{{"enabled":{},"journal":{},"command":[)", options.enabled,
                       options.journal);
    for (const auto& word : options.command) {
        if (out.back() != '[') out += ',';
        append_json_string(out, word);
    }
    out += R"(],"webhook":)";
    append_json_string(out, options.webhook);
    out += fmt::format(R"(,"min_severity":"{}"}})",
                       kSeverities[static_cast<std::size_t>(options.min_severity)]);
}

}  // namespace snakepit::shm
