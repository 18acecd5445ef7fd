// SPDX-License-Identifier: MIT
#include "monitoring/telemetry_report.h"

#include <QJsonArray>
#include <QJsonDocument>

#include "json/json_values.h"

namespace snakepit::shm {

namespace {

QString journal_text(JournalChoice choice) {
    if (choice == JournalChoice::everything) return QStringLiteral("every event");
    if (choice == JournalChoice::important) return QStringLiteral("important events");
    return QStringLiteral("off");
}

QJsonValue host_json(const std::optional<HostUse>& host) {
    if (!host) return {};
    QJsonObject labels;
    for (const auto& label : host->by_name) {
        QJsonArray values;
        for (const auto& value : label.values)
            values.append(
                QJsonArray{text(value.name), value.segments, value.bytes, value.left_bytes});
        labels.insert(text(label.label), values);
    }
    return QJsonObject{{"at", text(to_rfc3339(host->at))},
                       {"segments", host->segments},
                       {"bytes", host->bytes},
                       {"left_segments", host->left_segments},
                       {"left_bytes", host->left_bytes},
                       {"unreadable", host->unreadable},
                       {"labels", labels}};
}

std::optional<HostUse> host_from(const QJsonObject& object) {
    if (object.isEmpty()) return std::nullopt;
    HostUse out;
    out.at = from_rfc3339(object["at"].toString().toStdString()).value_or(Timestamp{});
    out.segments = object["segments"].toDouble();
    out.bytes = object["bytes"].toDouble();
    out.left_segments = object["left_segments"].toDouble();
    out.left_bytes = object["left_bytes"].toDouble();
    out.unreadable = object["unreadable"].toDouble();
    const auto labels = object["labels"].toObject();
    for (auto it = labels.begin(); it != labels.end(); ++it) {
        auto& label = out.by_name.emplace_back();
        label.label = it.key().toStdString();
        for (const auto& entry : it.value().toArray()) {
            const auto value = entry.toArray();
            label.values.push_back({value[0].toString().toStdString(), value[1].toDouble(),
                                    value[2].toDouble(), value[3].toDouble()});
        }
    }
    return out;
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
            {"alerts", alerts},
            {"host", host_json(telemetry.figures().host)}};
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
    out.figures.host = host_from(object["host"].toObject());
    return out;
}

}  // namespace snakepit::shm
