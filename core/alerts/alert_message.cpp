// SPDX-License-Identifier: MIT
#include <algorithm>

#include <fmt/format.h>

#include "alerts/alert_hook.h"
#include "base/ids.h"
#include "base/json.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kNamed = 3;

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string labels(const AlertMessage& message, const Alert& alert) {
    return fmt::format(R"({{"alertname":{},"severity":{},"instance":{},"subject":{}}})",
                       quoted(alert.rule), quoted(to_string(alert.severity)),
                       quoted(message.instance), quoted(alert.subject));
}

std::string annotations(const Alert& alert) {
    return fmt::format(R"({{"summary":{},"description":{},"remedy":{},"value":{}}})",
                       quoted(alert.title), quoted(alert.evidence), quoted(alert.remedy),
                       quoted(value_text(alert.value, alert.unit)));
}

// Receivers want a time there also while it fires.
std::string ends_at(const Alert& alert) {
    return alert.resolved_at.micros == 0 ? "0001-01-01T00:00:00Z" : to_rfc3339(alert.resolved_at);
}

std::string webhook_alert(const AlertMessage& message, const Alert& alert) {
    return fmt::format(
        R"({{"status":"{}","labels":{},"annotations":{},"startsAt":"{}","endsAt":"{}","generatorURL":"","fingerprint":"{:016x}"}})",
        to_string(alert.state), labels(message, alert), annotations(alert), to_rfc3339(alert.since),
        ends_at(alert),
        std::hash<std::string>{}(message.instance + '\0' + alert.rule + '\0' + alert.subject));
}

}  // namespace

std::string headline(const AlertMessage& message) {
    auto out = message.first().title;
    std::string names;
    std::size_t named = 0;
    for (const auto& alert : message.alerts) {
        if (alert.subject.empty() || named == kNamed) continue;
        names += fmt::format("{}{}", named++ == 0 ? "" : ", ", alert.subject);
    }
    if (message.alerts.size() > named && named > 0)
        names += fmt::format(" and {} more", message.alerts.size() - named);
    if (!names.empty()) out += ": " + names;
    return message.firing() ? out : "Resolved: " + out;
}

std::string to_json(const AlertMessage& message) {
    auto out = fmt::format(R"({{"instance":{},"status":"{}","rule":{},"headline":{},"alerts":[)",
                           quoted(message.instance), to_string(message.first().state),
                           quoted(message.first().rule), quoted(headline(message)));
    for (const auto& alert : message.alerts) {
        if (&alert != &message.first()) out += ',';
        out += to_json(alert);
    }
    return out + "]}";
}

std::string webhook_body(const AlertMessage& message) {
    const auto& first = message.first();
    const auto common =
        fmt::format(R"("alertname":{},"severity":{},"instance":{})", quoted(first.rule),
                    quoted(to_string(first.severity)), quoted(message.instance));
    auto out = fmt::format(
        R"({{"version":"4","groupKey":{},"truncatedAlerts":0,"status":"{}","receiver":"snakepit-shm","groupLabels":{{"alertname":{}}},"commonLabels":{{{}}},"commonAnnotations":{{"summary":{}}},"externalURL":"","alerts":[)",
        quoted(fmt::format("{{}}:{{alertname=\"{}\"}}", first.rule)), to_string(first.state),
        quoted(first.rule), common, quoted(headline(message)));
    for (const auto& alert : message.alerts) {
        if (&alert != &first) out += ',';
        out += webhook_alert(message, alert);
    }
    return out + "]}";
}

}  // namespace snakepit::shm
