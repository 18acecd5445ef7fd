// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/current_alerts.h"

#include <algorithm>
#include <map>

#include "ui/models/alert_text.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPageOfPast = 500, kMostPages = 40;
constexpr std::int64_t kLately = 60 * 60 * 1'000'000LL;  // microseconds

// All that may have been there at a past moment.
Result<std::vector<Alert>> recorded_alerts(MonitoringPort& port) {
    std::map<std::uint64_t, Alert> by_id;
    std::uint64_t before = 0;
    for (int pages = 0; pages < kMostPages; ++pages) {
        SHM_ASSIGN(auto page, port.history(before, kPageOfPast));
        for (auto& alert : page.alerts) by_id.insert_or_assign(alert.id, std::move(alert));
        before = page.before;
        if (!page.more) break;
    }
    SHM_ASSIGN(auto open, port.alerts());
    for (auto& alert : open) by_id.insert_or_assign(alert.id, std::move(alert));
    std::vector<Alert> out;
    for (auto& [id, alert] : by_id) out.push_back(std::move(alert));
    return out;
}

}  // namespace

std::vector<Alert> with_ended_lately(std::vector<Alert> open, const std::vector<Alert>& past,
                                     Timestamp at) {
    std::set<std::uint64_t> ids;
    for (const auto& alert : open) ids.insert(alert.id);
    for (const auto& alert : past)
        if (alert.resolved_at.micros != 0 && alert.resolved_at.micros >= at.micros - kLately &&
            !ids.contains(alert.id))
            open.push_back(alert);
    return open;
}

CurrentAlerts::CurrentAlerts(Workspace& workspace, QObject* parent)
    : QObject(parent), workspace_(workspace) {
    connect(&workspace, &Workspace::second_passed, this, &CurrentAlerts::on_second);
    connect(&workspace, &Workspace::moment_changed, this, &CurrentAlerts::ask);
}

void CurrentAlerts::set_watched(bool watched) {
    const bool now = watched && !watched_;
    watched_ = watched;
    if (now && !(workspace_.held() && known_)) ask();
}

void CurrentAlerts::on_second() {
    if (settled() || workspace_.past()) return;
    const auto* sample = workspace_.latest();
    if (!sample && !workspace_.bundle()) return;
    const auto firing = sample ? sample->alerts_firing : 0;
    const auto unacknowledged = sample ? sample->alerts_unacknowledged : 0;
    const bool differs = firing != firing_ || unacknowledged != unacknowledged_;
    firing_ = firing;
    unacknowledged_ = unacknowledged;
    // Nothing fires: there is nothing that could have fired before.
    started_ |= firing_ == 0;
    if (differs) Q_EMIT counts_changed();
    if (differs || watched_ || workspace_.bundle()) ask();
}

// One question at a time; one that comes while it is under way is asked after it.
void CurrentAlerts::ask() {
    if (!workspace_.has_monitoring()) return;
    again_ = asking_;
    if (asking_) return;
    asking_ = true;
    const auto past = workspace_.past() ? workspace_.past()->state.moment : Timestamp();
    workspace_.monitor(
        this,
        [past](MonitoringPort& port) -> Result<std::vector<Alert>> {
            if (past.micros == 0) return port.alerts();
            SHM_ASSIGN(const auto all, recorded_alerts(port));
            return alerts_at(all, past);
        },
        [this, past](Result<std::vector<Alert>> alerts) {
            asking_ = false;
            const auto shown = workspace_.past() ? workspace_.past()->state.moment : Timestamp();
            if (shown == past) receive(std::move(alerts));
            if (again_ || shown != past) ask();
        });
}

void CurrentAlerts::receive(Result<std::vector<Alert>> alerts) {
    problem_ = alerts ? QString() : error_text(alerts.error());
    known_ |= alerts.has_value();
    if (alerts) {
        alerts_ = std::move(*alerts);
        std::sort(alerts_.begin(), alerts_.end(), worse);
        if (workspace_.bundle() || workspace_.past())
            count();
        else
            notify_new();
    } else if (workspace_.past()) {  // what fires now says nothing of then
        alerts_.clear();
        count();
    }
    Q_EMIT changed();
}

void CurrentAlerts::count() {
    firing_ = unacknowledged_ = 0;
    for (const auto& alert : firing()) {
        ++firing_;
        unacknowledged_ += alert.acknowledged_by.empty() ? 1 : 0;
    }
    Q_EMIT counts_changed();
}

void CurrentAlerts::notify_new() {
    std::set<std::uint64_t> told;
    std::vector<Alert> tell;
    for (const auto& alert : alerts_) {
        if (alert.state != Alert::State::firing) continue;
        if (started_ && !notified_.contains(alert.id) && needs_someone(alert))
            tell.push_back(alert);
        told.insert(alert.id);
    }
    notified_ = std::move(told);
    started_ = true;
    for (const auto& alert : tell) Q_EMIT fires(alert);
}

std::vector<Alert> CurrentAlerts::firing() const {
    std::vector<Alert> out;
    std::copy_if(alerts_.begin(), alerts_.end(), std::back_inserter(out),
                 [](const Alert& alert) { return alert.state == Alert::State::firing; });
    return out;
}

const Alert* CurrentAlerts::find(std::uint64_t id) const {
    const auto found = std::find_if(alerts_.begin(), alerts_.end(),
                                    [id](const Alert& alert) { return alert.id == id; });
    return found == alerts_.end() ? nullptr : &*found;
}

}  // namespace snakepit::shm::ui
