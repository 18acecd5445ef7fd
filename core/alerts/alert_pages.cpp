// SPDX-License-Identifier: MIT
#include "alerts/alert_pages.h"

#include <QJsonDocument>
#include <algorithm>

#include <fmt/format.h>

#include "alerts/json_fields.h"

namespace snakepit::shm {

namespace {

std::string compact(const QJsonObject& object) {
    return QJsonDocument(object).toJson(QJsonDocument::Compact).toStdString();
}

Result<QJsonObject> object_of(const std::string& answer) {
    return JsonFields::parse(answer, "the answer", ErrorCode::protocol_error);
}

// {"<name>":[…]
template <typename T>
std::string begin_list(std::string_view name, const std::vector<T>& all) {
    auto out = fmt::format(R"({{"{}":[)", name);
    for (const auto& one : all) {
        if (&one != &all.front()) out += ',';
        out += to_json(one);
    }
    return out + ']';
}

QJsonObject arguments_of(const HistoryQuery& query, std::uint64_t before, std::uint64_t limit) {
    QJsonObject out{{QStringLiteral("limit"), static_cast<qint64>(limit)},
                    {QStringLiteral("rule"), QString::fromStdString(query.rule)},
                    {QStringLiteral("subject"), QString::fromStdString(query.subject)}};
    if (before != 0) out[QStringLiteral("before")] = static_cast<qint64>(before);
    if (query.since.micros != 0)
        out[QStringLiteral("since")] = QString::fromStdString(to_rfc3339(query.since));
    return out;
}

}  // namespace

Result<std::vector<AlertRule>> ask_rules(const AlertAsk& ask) {
    std::vector<AlertRule> all;
    QString from;
    for (;;) {
        SHM_ASSIGN(const auto answer, ask("rules", compact({{QStringLiteral("from"), from}})));
        SHM_ASSIGN(const auto object, object_of(answer));
        SHM_ASSIGN(const auto page, parse_rules(answer));
        all.insert(all.end(), page.begin(), page.end());
        if (!object[QLatin1String("more")].toBool() || page.empty()) return all;
        from = object[QLatin1String("from")].toString();
    }
}

Result<AlertPage> ask_history(const AlertAsk& ask, const HistoryQuery& query) {
    AlertPage all;
    all.before = query.before;
    all.more = true;
    while (all.more && all.alerts.size() < query.limit) {
        const auto limit = std::min(query.limit - all.alerts.size(), kHistoryPage);
        SHM_ASSIGN(const auto answer,
                   ask("history", compact(arguments_of(query, all.before, limit))));
        SHM_ASSIGN(const auto object, object_of(answer));
        SHM_ASSIGN(const auto page, parse_alerts(answer));
        all.alerts.insert(all.alerts.end(), page.begin(), page.end());
        all.more = object[QLatin1String("more")].toBool() && !page.empty();
        all.before = static_cast<std::uint64_t>(
            std::max<qint64>(0, object[QLatin1String("before")].toInteger()));
    }
    return all;
}

std::string to_json(const AlertPage& page) {
    return begin_list("alerts", page.alerts) +
           fmt::format(R"(,"more":{},"before":{}}})", page.more, page.before);
}

std::string to_json(const std::vector<Alert>& alerts) {
    return begin_list("alerts", alerts) + '}';
}

std::string to_json(const std::vector<AlertRule>& rules) {
    return begin_list("rules", rules) + '}';
}

std::string to_json(const std::vector<AlertSilence>& silences) {
    return begin_list("silences", silences) + '}';
}

}  // namespace snakepit::shm
