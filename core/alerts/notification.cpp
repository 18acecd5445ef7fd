// SPDX-License-Identifier: MIT
#include <algorithm>

#include <fmt/format.h>

#include "alerts/notification.h"
#include "base/ids.h"
#include "base/json.h"

namespace snakepit::shm {

namespace {

constexpr std::size_t kNamed = 3;

std::string as_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string labels(const Notification& notification, const Alert& alert) {
    return fmt::format(R"({{"alertname":{},"severity":{},"instance":{},"subject":{}}})",
                       as_json(alert.rule), as_json(to_string(alert.severity)),
                       as_json(notification.instance), as_json(alert.subject));
}

std::string annotations(const Alert& alert) {
    return fmt::format(R"({{"summary":{},"description":{},"remedy":{},"value":{}}})",
                       as_json(alert.title), as_json(alert.evidence), as_json(alert.remedy),
                       as_json(value_text(alert.value, alert.unit)));
}

// Webhooks expect a time here also while the alert fires.
std::string ends_at(const Alert& alert) {
    return alert.resolved_at.micros == 0 ? "0001-01-01T00:00:00Z" : to_rfc3339(alert.resolved_at);
}

std::string webhook_alert(const Notification& notification, const Alert& alert) {
    return fmt::format(
        R"({{"status":"{}","labels":{},"annotations":{},"startsAt":"{}","endsAt":"{}","generatorURL":"","fingerprint":"{:016x}"}})",
        to_string(alert.state), labels(notification, alert), annotations(alert),
        to_rfc3339(alert.since), ends_at(alert),
        std::hash<std::string>{}(notification.instance + '\0' + alert.rule + '\0' + alert.subject));
}

}  // namespace

std::string headline(const Notification& notification) {
    auto out = notification.first().title;
    std::string names;
    std::size_t named = 0;
    for (const auto& alert : notification.alerts) {
        if (alert.subject.empty() || named == kNamed) continue;
        names += fmt::format("{}{}", named++ == 0 ? "" : ", ", alert.subject);
    }
    if (notification.alerts.size() > named && named > 0)
        names += fmt::format(" and {} more", notification.alerts.size() - named);
    if (!names.empty()) out += ": " + names;
    return notification.firing() ? out : "Resolved: " + out;
}

std::string to_json(const Notification& notification) {
    auto out = fmt::format(R"({{"instance":{},"status":"{}","rule":{},"headline":{},"alerts":[)",
                           as_json(notification.instance), to_string(notification.first().state),
                           as_json(notification.first().rule), as_json(headline(notification)));
    for (const auto& alert : notification.alerts) {
        if (&alert != &notification.first()) out += ',';
        out += to_json(alert);
    }
    return out + "]}";
}

std::string webhook_body(const Notification& notification) {
    const auto& first = notification.first();
    const auto common =
        fmt::format(R"("alertname":{},"severity":{},"instance":{})", as_json(first.rule),
                    as_json(to_string(first.severity)), as_json(notification.instance));
    auto out = fmt::format(
        R"({{"version":"4","groupKey":{},"truncatedAlerts":0,"status":"{}","receiver":"snakepit-shm","groupLabels":{{"alertname":{}}},"commonLabels":{{{}}},"commonAnnotations":{{"summary":{}}},"externalURL":"","alerts":[)",
        as_json(fmt::format("{{}}:{{alertname=\"{}\"}}", first.rule)), to_string(first.state),
        as_json(first.rule), common, as_json(headline(notification)));
    for (const auto& alert : notification.alerts) {
        if (&alert != &first) out += ',';
        out += webhook_alert(notification, alert);
    }
    return out + "]}";
}

}  // namespace snakepit::shm
