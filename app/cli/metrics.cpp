// SPDX-License-Identifier: MIT
// What Prometheus would be told, printed: most of it is read from the registry file.
#include <memory>

#include <QJsonArray>

#include "command.h"
#include "json.h"
#include "monitoring/telemetry_report.h"
#include "output.h"
#include "security/name_resolver.h"
#include "telemetry/metrics_source.h"

namespace snakepit::shm::cli {

namespace {

// The registry file outlives a manager; only a connection shows that one is running.
Result<ExpositionInput> gather(const Context& context) {
    SHM_ASSIGN(auto client, connect(context));
    SHM_ASSIGN(const auto answer, client->report("metrics"));
    SHM_ASSIGN(auto report, parse_metrics_report(answer));
    SHM_ASSIGN(auto source, MetricsSource::open(client->paths().registry(),
                                                [](auto uid) { return user_name(uid); }));
    ExpositionInput input;
    input.version = report.version;
    input.instance = report.instance;
    input.backend = report.backend;
    input.figures = std::move(report.figures);
    source.read(input, report.labels);
    return input;
}

QJsonObject document_of(const std::vector<MetricFamily>& families) {
    QJsonArray out;
    for (const auto& family : families) {
        for (const auto& point : family.points) {
            QJsonObject labels;
            for (const auto& [label, value] : point.labels) labels.insert(text(label), text(value));
            out.append(QJsonObject{
                {"name", text(family.name_of(point))}, {"labels", labels}, {"value", point.value}});
        }
    }
    return {{"metrics", out}};
}

Result<int> run_metrics(const Context& context, ExpositionFormat format) {
    SHM_ASSIGN(const auto input, gather(context));
    const auto families = metric_families(input);
    if (context.json) {
        print_json(document_of(families));
    } else {
        print(write_families(families, format));
    }
    return kDone;
}

}  // namespace

void add_metrics(CLI::App& app, Context& context) {
    auto* command = add_command(app, context, "metrics",
                                "Print what the manager measures, as Prometheus reads it");
    auto open = std::make_shared<bool>(false);
    command->add_flag("--openmetrics", *open, "In the OpenMetrics format");
    command->callback([&context, open] {
        context.action = [&context, open] {
            return run_metrics(context,
                               *open ? ExpositionFormat::openmetrics : ExpositionFormat::classic);
        };
    });
}

}  // namespace snakepit::shm::cli
