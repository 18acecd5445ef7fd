// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/live_monitoring.h"

#include <QJsonDocument>
#include <QJsonObject>

#include "alerts/backtest.h"
#include "ui/literals.h"
#include "ui/models/current_alerts.h"
#include "ui/models/performance_report.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kLookedBack = 50;  // alerts

std::string json(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

qint64 number(std::uint64_t id) {
    return static_cast<qint64>(id);
}

}  // namespace

Result<std::string> LiveMonitoring::ask(const std::string& action, const std::string& arguments) {
    SHM_ASSIGN(const auto manager, manager_->client());
    return manager->alerts(action, arguments);
}

AlertAsk LiveMonitoring::asker() {
    return [this](const std::string& action, const std::string& arguments) {
        return ask(action, arguments);
    };
}

// Those that fire, and those that did until lately. The history is asked only when one came or
// went: it is on a disk.
Result<std::vector<Alert>> LiveMonitoring::alerts() {
    SHM_ASSIGN(const auto answer, ask("list"));
    SHM_ASSIGN(auto alerts, parse_alerts(answer));
    SHM_TRY(look_back(alerts));
    return with_ended_lately(std::move(alerts), resolved_, now());
}

Status LiveMonitoring::look_back(const std::vector<Alert>& open) {
    std::set<std::uint64_t> ids;
    for (const auto& alert : open) ids.insert(alert.id);
    const bool same = ids == open_ && !resolved_.empty();
    open_ = std::move(ids);
    if (same) return {};
    SHM_ASSIGN(auto page, history(0, kLookedBack));
    std::erase_if(page.alerts, [](const Alert& alert) { return alert.resolved_at.micros == 0; });
    resolved_ = std::move(page.alerts);
    return {};
}

Result<AlertPage> LiveMonitoring::history(std::uint64_t before, int limit) {
    HistoryQuery query;
    query.before = before;
    query.limit = static_cast<std::uint64_t>(limit);
    return ask_history(asker(), query);
}

Result<std::vector<AlertSilence>> LiveMonitoring::silences() {
    SHM_ASSIGN(const auto answer, ask("silences"));
    return parse_silences(answer);
}

Status LiveMonitoring::acknowledge(std::uint64_t id, const std::string& comment) {
    SHM_TRY(
        ask("ack", json({{u"id"_s, number(id)}, {u"comment"_s, QString::fromStdString(comment)}})));
    return {};
}

Status LiveMonitoring::silence(const AlertSilence& silence) {
    const auto until = silence.until.micros == 0
                           ? QJsonValue()
                           : QJsonValue(QString::fromStdString(to_rfc3339(silence.until)));
    SHM_TRY(ask("silence", json({{u"rule"_s, QString::fromStdString(silence.rule)},
                                 {u"subject"_s, QString::fromStdString(silence.subject)},
                                 {u"until"_s, until},
                                 {u"comment"_s, QString::fromStdString(silence.comment)}})));
    return {};
}

Status LiveMonitoring::unsilence(std::uint64_t id) {
    SHM_TRY(ask("unsilence", json({{u"id"_s, number(id)}})));
    return {};
}

Status LiveMonitoring::set_rule(const AlertRule& rule) {
    SHM_TRY(ask("set_rule", to_json(rule)));
    return {};
}

// Read here from what the manager recorded, which costs the manager nothing.
Result<Backtest> LiveMonitoring::backtest(const AlertRule& rule, std::int64_t span_ms) {
    const auto to = now();
    return shm::backtest(rule, paths_.metrics_db(), paths_.events_db(),
                         {to.micros - span_ms * 1000}, to);
}

Result<PerformanceReport> LiveMonitoring::performance() {
    SHM_ASSIGN(const auto manager, manager_->client());
    SHM_ASSIGN(const auto answer, manager->report("performance"));
    return parse_performance(answer);
}

}  // namespace snakepit::shm::ui
