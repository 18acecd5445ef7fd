// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/sample_graph.h"

#include <algorithm>
#include <limits>

#include "ui/graphs/time_plot.h"
#include "ui/models/alert_text.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::size_t kMostPoints = 1500;  // of the view and as much on either side
constexpr int kZoomRestMillis = 120;       // after the last zoom or pan
constexpr double kFiner = 2;               // a view this much smaller needs other points
constexpr int kMostMarks = 200;
constexpr auto kRestartCounter = "service_cpu_seconds_total";  // grows as long as a manager lives

Timestamp at(double time) {
    return {static_cast<std::int64_t>(time * 1e6)};
}

}  // namespace

SampleGraph::SampleGraph(Workspace& workspace, QWidget* parent)
    : GraphPanel(parent), workspace_(workspace) {
    lead(workspace);
    load_soon_.setSingleShot(true);
    load_soon_.setInterval(kZoomRestMillis);
    connect(&load_soon_, &QTimer::timeout, this, &SampleGraph::load);
    connect(&plot(), &TimePlot::range_changed, this, [this] {
        if (isVisible() && !load_soon_.isActive()) load_soon_.start();
    });
    while_visible(this, &workspace, &Workspace::ticked, [this] { draw_new(); });
    connect(&workspace, &Workspace::moment_changed, this, &SampleGraph::show_moment);
}

void SampleGraph::showEvent(QShowEvent* event) {
    GraphPanel::showEvent(event);
    draw_new();
    load_soon_.start();
    if (!alerts_asked_) ask_alerts();
}

void SampleGraph::begin_again() {
    latest_.next();
    recorded_ = {};
    for (int line = 0; line < plot().lines(); ++line) plot().set_points(line, {}, {});
    last_ = 0;
    last_time_ = 0;
    load_soon_.start();
}

// In the past the samples are those of the moment, and all that is drawn comes from the database.
void SampleGraph::show_moment() {
    begin_again();
    if (!workspace_.past()) plot().follow();
    if (isVisible()) draw_new();
}

double SampleGraph::live_from() const {
    const auto& samples = workspace_.samples();
    return workspace_.past() || samples.empty() ? std::numeric_limits<double>::infinity()
                                                : seconds(samples.front().time);
}

// No line leads over the time in which no manager took samples.
void SampleGraph::leave_gap(const layout::Sample& sample) {
    if (last_time_ > 0 && seconds(sample.time - last_time_) > TimePlot::kLongestPause)
        for (int line = 0; line < plot().lines(); ++line)
            plot().append(line, seconds(last_time_ + 1), std::numeric_limits<double>::quiet_NaN());
    last_time_ = sample.time;
}

void SampleGraph::draw_new() {
    if (!workspace_.past()) {
        const auto& samples = workspace_.samples();
        // A new registry numbers its samples from 1 again.
        if (!samples.empty() && samples.back().seq < last_) begin_again();
        auto first = samples.end();
        while (first != samples.begin() && std::prev(first)->seq > last_) --first;
        for (auto it = first; it != samples.end(); ++it) {
            leave_gap(*it);
            draw(*it);
            last_ = it->seq;
        }
        if (!samples.empty()) plot().drop_between(recorded_.to, live_from());
    }
    if (const auto first = workspace_.first_measured(); first.micros != 0)
        plot().set_earliest(seconds(first.micros));
    plot().refresh(seconds(workspace_.end_of_time().micros));
}

void SampleGraph::load() {
    const auto history = workspace_.history_port();
    if (!history || !isVisible()) return;
    const auto range = plot().xAxis->range();
    const double end = std::min(range.upper, live_from());
    if (range.lower >= end) return;
    const double size = range.size();
    const bool covered = recorded_.from <= range.lower && recorded_.to >= end &&
                         size * kFiner >= recorded_.size && size <= recorded_.size * kFiner;
    if (covered) return;
    const View view{range.lower - size, std::min(range.upper + size, live_from()), size};
    auto names = metrics();
    names.emplace_back(kRestartCounter);
    workspace_.read_history(
        this,
        [names = std::move(names), view](HistoryPort& port) {
            return port.series(names, at(view.from), at(view.to), kMostPoints);
        },
        [this, view, token = latest_.next()](auto lists) {
            if (latest_.is(token)) receive(view, std::move(lists));
        });
}

void SampleGraph::receive(const View& view, Result<std::vector<std::vector<MetricPoint>>> lists) {
    if (!lists) return;
    recorded_ = {view.from, view.to, view.size, {}, restarts_in(lists->back())};
    const double bucket = (view.to - view.from) / static_cast<double>(kMostPoints);
    for (std::size_t line = 0; line + 1 < lists->size(); ++line) {
        auto& recorded =
            recorded_.lines.emplace_back(line_of((*lists)[line], scale(), bucket, view.to));
        if (zero_is_nothing())
            std::replace(recorded.values.begin(), recorded.values.end(), 0.0,
                         std::numeric_limits<double>::quiet_NaN());
        // Behind what was loaded come the samples, which may be much later.
        if (view.to + TimePlot::kLongestPause < live_from()) {
            recorded.times << view.to;
            recorded.values << std::numeric_limits<double>::quiet_NaN();
        }
    }
    rebuild();
    show_marks();
    Q_EMIT loaded();
}

// The recorded points, and behind them the samples.
void SampleGraph::rebuild() {
    for (int line = 0; line < plot().lines(); ++line) {
        const auto& recorded = recorded_.lines[static_cast<std::size_t>(line)];
        plot().set_points(line, recorded.times, recorded.values);
    }
    last_ = 0;
    last_time_ = 0;
    draw_new();
}

void SampleGraph::ask_alerts() {
    if (!workspace_.has_monitoring()) return;
    alerts_asked_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.history(0, kMostMarks); },
        [this](Result<AlertPage> page) {
            if (page) alerts_ = std::move(page->alerts);
            show_marks();
        });
}

void SampleGraph::show_marks() {
    std::vector<TimePlot::Mark> marks;
    for (const auto time : recorded_.restarts)
        marks.push_back({time, Severity::info, tr("a manager was started")});
    for (const auto& alert : alerts_)
        if (alert.fired_at.micros != 0)
            marks.push_back({seconds(alert.fired_at.micros), severity_of(alert.severity),
                             tr("alert: %1").arg(alert_title(alert))});
    plot().set_marks(std::move(marks));
}

}  // namespace snakepit::shm::ui
