// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/alert_details.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/alert_text.h"
#include "ui/models/event_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/timeline.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::int64_t kHour = 3'600'000;

QString at(Timestamp time) {
    return time.micros == 0 ? QString() : clock_text(time).section(u'.', 0, 0);
}

// The silence its command line would make: this rule about this subject, for an hour.
AlertSilence silence_of(const Alert& alert) {
    AlertSilence silence;
    silence.rule = alert.rule;
    silence.subject = alert.subject;
    return silence;
}

}  // namespace

AlertDetails::AlertDetails(Workspace& workspace, QWidget* parent)
    : DetailsCard(tr("Select an alert to see its details."), 300, parent), workspace_(workspace) {
    build_head();
    build_words();
    build_actions();
}

void AlertDetails::build_head() {
    auto* row = new QHBoxLayout;
    row->setSpacing(6);
    for (int i = 0; i < 5; ++i) {
        chips_.push_back(make_sign());
        row->addWidget(chips_.back());
    }
    row->addStretch();
    column()->addLayout(row);
    title_ = make_words("detail_title");
    subject_ = make_words("muted");
    column()->addWidget(title_);
    column()->addWidget(subject_);
    auto* facts = make_facts();
    value_ = add_fact(facts, tr("Latest"));
    worst_ = add_fact(facts, tr("Worst"));
    limit_ = add_fact(facts, tr("Limit"));
    times_ = add_fact(facts, tr("Fired"));
    column()->addLayout(facts);
}

void AlertDetails::build_words() {
    column()->addSpacing(6);
    evidence_ = add_section(tr("Evidence"), make_words());
    column()->addWidget(remedy_title_ = make_label(tr("Remedy"), "section"));
    column()->addWidget(remedy_ = make_words());
    column()->addSpacing(6);
    column()->addWidget(make_label(tr("Timeline"), "section"));
    timeline_ = new Timeline;
    timeline_->setAccessibleName(tr("Timeline"));
    column()->addWidget(timeline_);
}

void AlertDetails::build_actions() {
    acknowledge_ =
        make_button(u"check"_s, tr("Acknowledge…"), this, &AlertDetails::acknowledge_wanted);
    silence_ = make_button(u"silence"_s, tr("Silence…"), this, &AlertDetails::silence_wanted);
    silences_ =
        make_button(u"silence"_s, tr("Show silences"), this, &AlertDetails::silences_wanted);
    events_ = make_button(u"events"_s, tr("Show events"), this, &AlertDetails::show_related);
    column()->addSpacing(8);
    column()->addLayout(make_row({acknowledge_, silence_, silences_}));
    column()->addLayout(make_row({events_}));
    column()->addSpacing(6);
    column()->addWidget(lines_title_ = make_label(workspace_.commands_title(), "section"));
    const auto line = [this](QWidget*& box) {
        box = make_command_line({});
        column()->addWidget(box);
        return box->findChild<CommandText*>();
    };
    ack_command_ = line(ack_line_);
    silence_command_ = line(silence_line_);
}

void AlertDetails::show_alert(const Alert* alert) {
    alert_ = alert ? std::optional(*alert) : std::nullopt;
    show_content(alert != nullptr);
    if (!alert) return;
    show_chips(*alert);
    say(title_, alert_title(*alert));
    say(subject_, subject_text(alert->subject));
    say(value_, QString::fromStdString(value_text(alert->value, alert->unit)));
    say(worst_, QString::fromStdString(value_text(alert->worst, alert->unit)));
    say(limit_, QString::fromStdString(value_text(alert->threshold, alert->unit)));
    say(times_, alert->state == Alert::State::pending
                    ? tr("not yet")
                    : pluralize(alert->times_fired, "time", "times"));
    say(evidence_,
        alert->evidence.empty() ? tr("None recorded.") : QString::fromStdString(alert->evidence));
    say(remedy_, with_instance(QString::fromStdString(alert->remedy)));
    remedy_->setVisible(!alert->remedy.empty());
    remedy_title_->setVisible(!alert->remedy.empty());
    show_timeline(*alert);
    show_actions(*alert);
}

void AlertDetails::show_chips(const Alert& alert) {
    const auto calm = alert.state == Alert::State::resolved;
    QStringList texts{severity_title(alert.severity), alert_state_title(alert.state)};
    std::vector<Severity> severities{calm ? Severity::neutral : severity_of(alert.severity),
                                     severity_of(alert)};
    for (const auto& mark : alert_marks(alert)) {
        texts << mark;
        severities.push_back(Severity::neutral);
    }
    for (std::size_t i = 0; i < chips_.size(); ++i) {
        const auto shown = i < severities.size();
        chips_[i]->setVisible(shown);
        if (shown) set_chip(chips_[i], texts[static_cast<qsizetype>(i)], severities[i]);
    }
}

void AlertDetails::show_timeline(const Alert& alert) {
    std::vector<Timeline::Step> steps;
    const bool fired = alert.fired_at.micros != 0;
    steps.push_back({tr("Condition met"), at(alert.since), {}, Severity::caution, true});
    if (fired || alert.state == Alert::State::pending)
        steps.push_back({fired ? tr("Fired") : tr("Fires if the condition persists"),
                         at(alert.fired_at),
                         {},
                         severity_of(alert.severity),
                         fired});
    if (!alert.acknowledged_by.empty())
        steps.push_back(
            {tr("Acknowledged by %1").arg(QString::fromStdString(alert.acknowledged_by)),
             at(alert.acknowledged_at), QString::fromStdString(alert.acknowledgement),
             Severity::info, true});
    else if (alert.state == Alert::State::firing)
        steps.push_back({tr("Not acknowledged yet"), {}, {}, Severity::neutral, false});
    const bool resolved = alert.resolved_at.micros != 0;
    steps.push_back(
        {resolved ? tr("Resolved") : tr("Not resolved yet"), at(alert.resolved_at),
         resolved ? tr("after %1")
                        .arg(duration_text((alert.resolved_at.micros - alert.since.micros) / 1000))
                  : QString(),
         Severity::good, resolved});
    timeline_->set_steps(std::move(steps));
}

void AlertDetails::show_actions(const Alert& alert) {
    const bool open = alert.state != Alert::State::resolved;
    const bool can_ack = alert.state == Alert::State::firing && alert.acknowledged_by.empty();
    acknowledge_->setVisible(can_ack);
    silence_->setVisible(open && !alert.silenced);
    for (auto* action : {acknowledge_, silence_}) allow(action, true, workspace_.why_not());
    silences_->setVisible(open && alert.silenced);
    ack_line_->setVisible(can_ack);
    silence_line_->setVisible(open && !alert.silenced);
    lines_title_->setVisible(can_ack || (open && !alert.silenced));
    ack_command_->set_command(workspace_.command(acknowledge_words({alert.id}, {})));
    silence_command_->set_command(workspace_.command(silence_words(silence_of(alert), kHour)));
    const auto kind = related();
    events_->setVisible(is_about_region(alert) || kind.has_value());
    events_->setText(is_about_region(alert) ? tr("Show the region's events")
                     : kind                 ? tr("Show events: %1").arg(event_title(*kind))
                                            : QString());
}

std::optional<EventKind> AlertDetails::related() const {
    const auto rule = std::find_if(rules_.begin(), rules_.end(), [this](const AlertRule& known) {
        return known.name == alert_->rule;
    });
    return rule == rules_.end() ? std::nullopt : related_events(*rule);
}

void AlertDetails::show_related() {
    if (!alert_) return;
    if (is_about_region(*alert_))
        Q_EMIT workspace_.show_events_of(QString::fromStdString(alert_->subject));
    else if (const auto kind = related())
        Q_EMIT workspace_.show_events_of_kind(*kind);
}

}  // namespace snakepit::shm::ui
