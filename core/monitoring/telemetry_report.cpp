// SPDX-License-Identifier: MIT
#include "monitoring/telemetry_report.h"

#include <QJsonArray>
#include <QJsonDocument>

namespace snakepit::shm {

namespace {

QString text(std::string_view value) {
    return QString::fromUtf8(value.data(), static_cast<qsizetype>(value.size()));
}

QString journal_text(JournalChoice choice) {
    if (choice == JournalChoice::everything) return QStringLiteral("every event");
    if (choice == JournalChoice::important) return QStringLiteral("important events");
    return QStringLiteral("off");
}

}  // namespace

QJsonObject telemetry_json(const TelemetryManager& telemetry) {
    const auto state = telemetry.state();
    QJsonArray problems;
    for (const auto& error : state.problems) problems.append(text(error.sentence()));
    return {{"enabled", state.enabled},
            {"url", text(state.url)},
            {"textfile", text(state.textfile)},
            {"textfile_written", text(to_rfc3339(state.textfile_written))},
            {"journal", journal_text(state.journal)},
            {"problems", problems}};
}

QJsonObject metrics_json(const TelemetryManager& telemetry) {
    QJsonArray labels, alerts;
    for (const auto& label : telemetry.options().labels) labels.append(text(label));
    QJsonObject errors;
    for (const auto& [type, count] : telemetry.figures().errors)
        errors.insert(text(type), static_cast<qint64>(count));
    for (const auto& alert : telemetry.figures().alerts)
        alerts.append(QJsonObject{{"rule", text(alert.rule)},
                                  {"severity", text(alert.severity)},
                                  {"state", text(alert.state)},
                                  {"alerts", static_cast<qint64>(alert.alerts)}});
    const auto& identity = telemetry.identity();
    return {{"version", text(identity.version)},
            {"instance", text(identity.instance)},
            {"backend", text(identity.backend)},
            {"labels", labels},
            {"errors", errors},
            {"alerts", alerts}};
}

Result<MetricsReport> parse_metrics_report(std::string_view json) {
    const auto document =
        QJsonDocument::fromJson(QByteArray(json.data(), static_cast<qsizetype>(json.size())));
    if (!document.isObject())
        return fail(ErrorCode::protocol_error, "expected a JSON object as the manager's answer",
                    "use the manager and the command line of one release");
    const auto object = document.object();
    const auto value = [&object](const char* name) {
        return object.value(QLatin1String(name)).toString().toStdString();
    };
    MetricsReport out{value("version"), value("instance"), value("backend"), {}, {}};
    for (const auto& label : object["labels"].toArray())
        out.labels.push_back(label.toString().toStdString());
    const auto errors = object["errors"].toObject();
    for (auto it = errors.begin(); it != errors.end(); ++it)
        out.figures.errors.emplace_back(it.key().toStdString(),
                                        static_cast<std::uint64_t>(it.value().toInteger()));
    for (const auto& entry : object["alerts"].toArray()) {
        const auto alert = entry.toObject();
        out.figures.alerts.push_back({alert["rule"].toString().toStdString(),
                                      alert["severity"].toString().toStdString(),
                                      alert["state"].toString().toStdString(),
                                      static_cast<std::uint64_t>(alert["alerts"].toInteger())});
    }
    return out;
}

}  // namespace snakepit::shm
