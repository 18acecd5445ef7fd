// SPDX-License-Identifier: MIT
#include "top/plain.h"

#include <algorithm>

#include <QJsonArray>

#include "json.h"
#include "top/view.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kWidestFrame = 400;  // columns: what is longer is a list of many holders

}  // namespace

std::string plain_frame(Model& model, std::size_t columns) {
    const auto width = columns == 0 ? kWidestFrame : std::min(columns, kWidestFrame);
    std::string out;
    Surface head(width, kHeadLines);
    const auto end = draw_head(model, head, 0, kHeadLines);
    for (std::size_t i = 0; i < end; ++i) out += head.text(i) + '\n';
    out += '\n';
    const auto rows = model.regions().all(model.sorting());
    if (rows.empty()) return out + "No regions. Try: snakepit-shm demo\n";

    Surface line(width, 1);
    const auto layout = region_columns(width);
    layout.draw_titles(line, 0, model.sorting());
    out += line.text(0) + '\n';
    for (const auto* row : rows) {
        line.clear_line(0);
        layout.draw(line, 0, region_cells(model, *row, layout));
        out += line.text(0) + '\n';
    }
    return out;
}

QJsonObject document(const Model& model) {
    QJsonArray regions;
    for (const auto* row : model.regions().all(model.sorting()))
        regions.append(region_json(row->info));
    QJsonArray clients;
    for (const auto& client : model.snapshot().clients) clients.append(client_json(client));
    const auto* sample = model.figures().last();
    return {{"instance", text(model.instance())},
            {"manager_pid", json(model.snapshot().manager_pid)},
            {"started_at", json(model.snapshot().started_at)},
            {"heartbeat", json(model.snapshot().heartbeat)},
            {"sample", sample == nullptr ? QJsonValue() : QJsonValue(sample_json(*sample))},
            {"regions", regions},
            {"clients", clients}};
}

}  // namespace snakepit::shm::cli
