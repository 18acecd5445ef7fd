// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/reference_graph.h"

#include <QJsonDocument>
#include <QJsonObject>

#include "ui/graphs/time_plot.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kHistoryRows = 5000;

double seconds(Timestamp time) {
    return static_cast<double>(time.micros) / 1e6;
}

double count_in(const EventRow& row) {
    const auto detail = QJsonDocument::fromJson(QByteArray::fromStdString(row.detail)).object();
    return detail.value(u"references"_s).toDouble(detail.value(u"count"_s).toDouble());
}

}  // namespace

ReferenceGraph::ReferenceGraph(Workspace& workspace, QWidget* parent)
    : GraphPanel(parent), workspace_(workspace), feed_(workspace.event_source()) {
    plot().set_ticker(QSharedPointer<CountTicker>::create());
    plot().set_format([](double value) { return QString::number(value, 'f', 0); });
    plot().setAccessibleName(tr("Reference counts over time"));
    lead(workspace);
    while_visible(this, &workspace, &Workspace::ticked, [this] { tick(); });
}

void ReferenceGraph::showEvent(QShowEvent* event) {
    GraphPanel::showEvent(event);
    tick();
}

void ReferenceGraph::watch(std::vector<RegionKey> keys) {
    if (keys.size() > kMaxRegions) keys.resize(kMaxRegions);
    if (keys == watched_) return;
    watched_ = std::move(keys);
    begin();
}

void ReferenceGraph::begin() {
    last_tick_ = 0;
    plot().remove_lines();
    live_from_.assign(watched_.size(), seconds(shown_now()));
    for (const auto& key : watched_) {
        const auto* entry = workspace_.regions().find(key);
        plot().add_line(entry ? QString::fromStdString(entry->row.info.id.str()) : tr("freed"),
                        TimePlot::Shape::step);
    }
    rebuild_legend();
    load_history(0);
    tick();
}

// One region after the other: the feed answers one question at a time.
void ReferenceGraph::load_history(std::size_t index) {
    while (index < watched_.size() && !workspace_.regions().find(watched_[index])) ++index;
    if (index >= watched_.size()) {
        feed_.cancel();
        return;
    }
    EventQuery query;
    query.region_id = workspace_.regions().find(watched_[index])->row.info.id.str();
    query.until = workspace_.shown_until();
    query.newest_first = true;
    query.limit = kHistoryRows;
    feed_.ask(query, [this, index](auto result) {
        if (result) add_history(index, *result);
        load_history(index + 1);
    });
}

void ReferenceGraph::add_history(std::size_t index, const std::vector<EventRow>& rows) {
    QVector<double> times, values;
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
        const bool born = row->kind == EventKind::allocated;
        if ((row->kind != EventKind::references && !born) || seconds(row->time) > live_from_[index])
            continue;
        times << seconds(row->time);
        values << (born ? 1 : count_in(*row));
    }
    plot().graph(static_cast<int>(index))->addData(times, values, true);
    plot().refresh(seconds(shown_now()));
}

void ReferenceGraph::tick() {
    const double time = seconds(shown_now());
    // Nobody counted in between, but the events say what happened.
    if (last_tick_ > 0 && (time < last_tick_ || time - last_tick_ > TimePlot::kLongestPause))
        return begin();
    last_tick_ = time;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
        const auto* entry = workspace_.regions().find(watched_[i]);
        if (!entry || (entry->row.unknown & kPartReferences) != 0) continue;
        auto* graph = plot().graph(static_cast<int>(i));
        const auto count = static_cast<double>(entry->row.info.reference_count);
        const auto points = graph->data();
        // A flat stretch needs its two ends only.
        const int size = points->size();
        if (size >= 2 && points->at(size - 1)->value == count &&
            points->at(size - 2)->value == count && points->at(size - 1)->key >= live_from_[i] &&
            points->at(size - 2)->key >= live_from_[i])
            points->removeAfter(points->at(size - 2)->key);
        graph->addData(time, count);
    }
    plot().refresh(time);
}

}  // namespace snakepit::shm::ui
