// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alert_model.h"

#include "ui/models/alert_text.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPage = 100;
using Row = const Alert&;

template <auto Show = Plain{}, typename Get>
constexpr auto make(const char* key, const char* title, Get get) {
    return column<Alert, Show>(key, title, get).with_value_as_tip();
}

const std::string& title_of(Row alert) {
    return alert.title.empty() ? alert.rule : alert.title;
}

QString moment_text(Timestamp time) {
    return time.micros == 0 ? u"–"_s : clock_text(time).section(u'.', 0, 0);
}

// From its begin to its end, or to now; milliseconds.
std::int64_t lasted(Row alert) {
    const auto end = alert.resolved_at.micros ? alert.resolved_at : shown_now();
    return (end.micros - alert.since.micros) / 1000;
}

QString measured(double value, Row alert) {
    return QString::fromStdString(value_text(value, alert.unit));
}

constexpr std::array kColumns{
    make<severity_title>("severity", "Severity", [](Row a) { return a.severity; })
        .as_chip([](Row a) { return severity_of(a.severity); }),
    make<alert_state_title>("state", "State", [](Row a) { return a.state; }).as_chip([](Row a) {
        return severity_of(a);
    }),
    make(
        "title", "Alert", [](Row a) -> auto& { return title_of(a); })
        .with_tip([](Row a) { return QVariant(QString::fromStdString(a.evidence)); }),
    make<subject_text>(
        "subject", "About", [](Row a) -> auto& { return a.subject; })
        .muted_if([](Row a) { return a.subject.empty(); }),
    make("value", "Value", [](Row a) { return a.value; }).shown_as([](Row a) {
        return measured(a.value, a);
    }),
    make("threshold", "Limit", [](Row a) { return a.threshold; }).shown_as([](Row a) {
        return measured(a.threshold, a);
    }),
    age_column<Alert>("since", "Since", [](Row a) { return a.since; }).with_value_as_tip(),
    make<moment_text>("fired_at", "Fired", [](Row a) { return a.fired_at; }),
    make<moment_text>("resolved_at", "Resolved", [](Row a) { return a.resolved_at; }),
    make<duration_text>("lasted", "Lasted", [](Row a) { return lasted(a); }),
    make<count_text>("times_fired", "Times", [](Row a) { return a.times_fired; }),
    make(
        "rule", "Rule", [](Row a) -> auto& { return a.rule; }),
    make("id", "No.", [](Row a) { return a.id; }),
};
static_assert(kColumns.size() == kAlertColumns);

}  // namespace

void AlertModel::set_search(const QString& words) {
    words_ = words.toLower().split(u' ', Qt::SkipEmptyParts);
    refilter();
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

int AlertModel::compare_rows(const Alert& a, const Alert& b) const {
    return worse(a, b) ? -1 : worse(b, a) ? 1 : 0;
}

std::span<const Column<Alert>> AlertModel::columns() const {
    return kColumns;
}

QVariant AlertModel::cell(int number, int column, int role) const {
    const auto& alert = *row(number);
    if (role == kIdRole) return QVariant::fromValue<qulonglong>(alert.id);
    if (role == kMarksRole && column == kAlertState) return alert_marks(alert);
    if (role == kSeverityRole && column == kAlertSeverity && is_inactive(alert))
        return static_cast<int>(Severity::neutral);
    if (role == kMonospaceRole) return column == kAlertSubject && is_about_region(alert);
    if (role == kMutedRole && is_inactive(alert) && alert.state == Alert::State::resolved)
        return true;
    return KeyedTable::cell(number, column, role);
}

AlertHistoryModel::AlertHistoryModel(Workspace& workspace, QObject* parent)
    : AlertModel(parent), workspace_(workspace) {}

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
