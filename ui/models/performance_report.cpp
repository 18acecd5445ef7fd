// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/performance_report.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

namespace snakepit::shm::ui {

namespace {

std::string text(const QJsonObject& object, const char* key) {
    return object.value(QLatin1String(key)).toString().toStdString();
}

std::uint64_t number(const QJsonObject& object, const char* key) {
    return static_cast<std::uint64_t>(
        std::max<qint64>(0, object.value(QLatin1String(key)).toInteger()));
}

std::vector<Tenant> tenants(const QJsonObject& report, const char* key) {
    std::vector<Tenant> out;
    for (const auto value : report.value(QLatin1String(key)).toArray()) {
        const auto line = value.toObject();
        out.push_back({text(line, "name"), number(line, "regions"), number(line, "bytes"),
                       number(line, "references"), number(line, "allocations")});
    }
    return out;
}

}  // namespace

Result<PerformanceReport> parse_performance(std::string_view json) {
    const auto document =
        QJsonDocument::fromJson(QByteArray(json.data(), static_cast<qsizetype>(json.size())));
    if (!document.isObject())
        return fail(ErrorCode::protocol_error, "the performance report could not be read",
                    "use a monitor and a manager of the same release");
    const auto object = document.object();
    PerformanceReport report;
    for (const auto value : object.value(QLatin1String("recommendations")).toArray()) {
        const auto line = value.toObject();
        report.advice.push_back(
            {text(line, "advice"), text(line, "evidence"), number(line, "bytes")});
    }
    report.users = tenants(object, "users");
    report.sessions = tenants(object, "sessions");
    report.workers = tenants(object, "workers");
    return report;
}

}  // namespace snakepit::shm::ui
