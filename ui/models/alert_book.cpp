// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_book.h"

#include <algorithm>

#include "ui/models/alert_text.h"
#include "ui/models/format.h"

namespace snakepit::shm::ui {

AlertBook::AlertBook(Workspace& workspace, QObject* parent)
    : QObject(parent), workspace_(workspace) {
    connect(&workspace, &Workspace::second_passed, this, &AlertBook::second);
}

void AlertBook::set_watched(bool watched) {
    const bool now = watched && !watched_;
    watched_ = watched;
    if (now) ask();
}

void AlertBook::second() {
    const auto* sample = workspace_.latest();
    if (!sample) return;
    const bool differs =
        sample->alerts_firing != firing_ || sample->alerts_unacknowledged != unacknowledged_;
    firing_ = sample->alerts_firing;
    unacknowledged_ = sample->alerts_unacknowledged;
    // Nothing fires: there is nothing that could have fired before.
    started_ |= firing_ == 0;
    if (differs) Q_EMIT counts_changed();
    if (differs || watched_) ask();
}

// One question at a time; one that comes while it is under way is asked after it.
void AlertBook::ask() {
    if (!workspace_.has_monitoring()) return;
    again_ = asking_;
    if (asking_) return;
    asking_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.alerts(); },
        [this](Result<std::vector<Alert>> alerts) {
            asking_ = false;
            take(std::move(alerts));
            if (again_) ask();
        });
}

void AlertBook::take(Result<std::vector<Alert>> alerts) {
    problem_ = alerts ? QString() : error_text(alerts.error());
    known_ |= alerts.has_value();
    if (alerts) {
        alerts_ = std::move(*alerts);
        std::sort(alerts_.begin(), alerts_.end(), worse);
        tell_new();
    }
    Q_EMIT changed();
}

void AlertBook::tell_new() {
    std::set<std::uint64_t> told;
    std::vector<Alert> tell;
    for (const auto& alert : alerts_) {
        if (alert.state != AlertState::firing) continue;
        if (started_ && !told_.contains(alert.id) && needs_someone(alert)) tell.push_back(alert);
        told.insert(alert.id);
    }
    told_ = std::move(told);
    started_ = true;
    for (const auto& alert : tell) Q_EMIT fires(alert);
}

std::vector<Alert> AlertBook::firing() const {
    std::vector<Alert> out;
    std::copy_if(alerts_.begin(), alerts_.end(), std::back_inserter(out),
                 [](const Alert& alert) { return alert.state == AlertState::firing; });
    return out;
}

const Alert* AlertBook::find(std::uint64_t id) const {
    const auto found = std::find_if(alerts_.begin(), alerts_.end(),
                                    [id](const Alert& alert) { return alert.id == id; });
    return found == alerts_.end() ? nullptr : &*found;
}

}  // namespace snakepit::shm::ui
