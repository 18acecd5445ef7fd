// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_model.h"

#include <array>

#include "ui/models/alert_text.h"
#include "ui/models/compare.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPage = 100;

constexpr std::array<ColumnTraits, kAlertColumns> kColumns{{
    {"severity", "Severity", false},
    {"state", "State", false},
    {"title", "Alert", false},
    {"subject", "About", false},
    {"value", "Value", true},
    {"threshold", "Limit", true},
    {"since", "Since", true},
    {"fired_at", "Fired", false},
    {"resolved_at", "Resolved", false},
    {"lasted", "Lasted", true},
    {"times_fired", "Times", true},
    {"rule", "Rule", false},
    {"id", "No.", true},
}};

QString moment(Timestamp time) {
    return time.micros == 0 ? QStringLiteral("–") : clock_text(time).left(19).section(u'.', 0, 0);
}

// From its begin to its end, or to now; milliseconds.
std::int64_t lasted(const Alert& alert) {
    const auto end = alert.resolved_at.micros ? alert.resolved_at : shown_now();
    return (end.micros - alert.since.micros) / 1000;
}

QString display(const Alert& alert, int column) {
    switch (column) {
        case kAlertSeverity:
            return severity_title(alert.severity);
        case kAlertState:
            return alert_state_title(alert.state);
        case kAlertTitle:
            return alert_title(alert);
        case kAlertSubject:
            return subject_text(alert.subject);
        case kAlertValue:
            return QString::fromStdString(value_text(alert.value, alert.unit));
        case kAlertThreshold:
            return QString::fromStdString(value_text(alert.threshold, alert.unit));
        case kAlertSince:
            return since_text(alert.since, shown_now());
        case kAlertFired:
            return moment(alert.fired_at);
        case kAlertResolved:
            return moment(alert.resolved_at);
        case kAlertLasted:
            return duration_text(lasted(alert));
        case kAlertTimes:
            return count_text(alert.times_fired);
        case kAlertRule:
            return QString::fromStdString(alert.rule);
        default:
            return QString::number(alert.id);
    }
}

QVariant exported(const Alert& alert, int column) {
    switch (column) {
        case kAlertSubject:
            return QString::fromStdString(alert.subject);
        case kAlertValue:
            return alert.value;
        case kAlertThreshold:
            return alert.threshold;
        case kAlertSince:
            return QString::fromStdString(to_rfc3339(alert.since));
        case kAlertFired:
            return QString::fromStdString(to_rfc3339(alert.fired_at));
        case kAlertResolved:
            return QString::fromStdString(to_rfc3339(alert.resolved_at));
        case kAlertLasted:
            return QVariant::fromValue<qlonglong>(lasted(alert));
        case kAlertTimes:
            return alert.times_fired;
        case kAlertId:
            return QVariant::fromValue<qulonglong>(alert.id);
        default:
            return display(alert, column);
    }
}

Tone tone_in(const Alert& alert, int column) {
    if (column == kAlertState) return alert_tone(alert);
    if (column != kAlertSeverity) return Tone::none;
    return severity_tone(alert.severity);
}

}  // namespace

bool AlertModel::is_calm(const Alert& alert) const {
    return alert.state != Alert::State::firing;
}

void AlertModel::set_search(const QString& words) {
    words_ = words.toLower().split(u' ', Qt::SkipEmptyParts);
    arrange();
}

bool AlertModel::wanted(const Alert& alert) const {
    if (words_.isEmpty()) return true;
    auto text = alert_title(alert) + u'\n' + QString::fromStdString(alert.subject) + u'\n' +
                QString::fromStdString(alert.rule) + u'\n' + severity_title(alert.severity) +
                u'\n' + alert_state_title(alert.state) + u'\n' + alert_marks(alert).join(u'\n');
    text = text.toLower();
    return std::all_of(words_.begin(), words_.end(),
                       [&text](const QString& word) { return text.contains(word); });
}

int AlertModel::compare(const Alert& a, const Alert& b, int column) const {
    switch (column) {
        case kAlertSeverity:
            return order_of(a.severity, b.severity);
        case kAlertState:
            return order_of(a.state, b.state);
        case kAlertTitle:
            return QString::localeAwareCompare(alert_title(a), alert_title(b));
        case kAlertSubject:
            return order_of(a.subject, b.subject);
        case kAlertValue:
            return order_of(a.value, b.value);
        case kAlertThreshold:
            return order_of(a.threshold, b.threshold);
        case kAlertSince:
            return order_of(b.since, a.since);  // as an age
        case kAlertFired:
            return order_of(a.fired_at, b.fired_at);
        case kAlertResolved:
            return order_of(a.resolved_at, b.resolved_at);
        case kAlertLasted:
            return order_of(lasted(a), lasted(b));
        case kAlertTimes:
            return order_of(a.times_fired, b.times_fired);
        case kAlertRule:
            return order_of(a.rule, b.rule);
        case kAlertId:
            return order_of(a.id, b.id);
        default:
            return worse(a, b) ? -1 : worse(b, a) ? 1 : 0;
    }
}

std::span<const ColumnTraits> AlertModel::columns() const {
    return kColumns;
}

QVariant AlertModel::cell(int number, int column, int role) const {
    const auto* alert = row(number);
    switch (role) {
        case Qt::DisplayRole:
            return display(*alert, column);
        case kSortRole:
        case kExportRole:
            return exported(*alert, column);
        case kIdRole:
            return QVariant::fromValue<qulonglong>(alert->id);
        case kToneRole:
            return static_cast<int>(column == kAlertSeverity && is_calm(*alert)
                                        ? Tone::neutral
                                        : tone_in(*alert, column));
        case kMonospaceRole:
            return column == kAlertSubject && is_about_region(*alert);
        case kMarksRole:
            return column == kAlertState ? alert_marks(*alert) : QStringList();
        case kMutedRole:
            return (is_calm(*alert) && alert->state == Alert::State::resolved) ||
                   (column == kAlertSubject && alert->subject.empty());
        case Qt::ToolTipRole:
            return column == kAlertTitle ? QString::fromStdString(alert->evidence)
                                         : exported(*alert, column);
        default:
            return {};
    }
}

AlertHistoryModel::AlertHistoryModel(Workspace& workspace, QObject* parent)
    : AlertModel(parent), workspace_(workspace) {}

int AlertHistoryModel::compare(const Alert& a, const Alert& b, int column) const {
    return column < 0 ? order_of(b.id, a.id) : AlertModel::compare(a, b, column);
}

void AlertHistoryModel::refresh() {
    ask(0);
}

bool AlertHistoryModel::canFetchMore(const QModelIndex& parent) const {
    return !parent.isValid() && !complete_ && !asking_ && !alerts_.empty();
}

void AlertHistoryModel::fetchMore(const QModelIndex& parent) {
    if (canFetchMore(parent)) ask(before_);
}

void AlertHistoryModel::ask(std::uint64_t before) {
    if (asking_ || !workspace_.has_monitoring()) return;
    asking_ = true;
    workspace_.monitor(
        this, [before](MonitoringPort& port) { return port.history(before, kPage); },
        [this, before](Result<AlertPage> page) {
            problem_ = page ? QString() : error_text(page.error());
            if (page) {
                if (before == 0) alerts_.clear();
                alerts_.insert(alerts_.end(), page->alerts.begin(), page->alerts.end());
                complete_ = !page->more;
                before_ = page->before;
                show(alerts_);
            }
            asking_ = false;
            Q_EMIT answered();
        });
}

}  // namespace snakepit::shm::ui
