// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/security_section.h"

#include <QFormLayout>
#include <QHBoxLayout>
#include <QVBoxLayout>

#include "ui/dialogs/policy_dialog.h"
#include "ui/dialogs/rotate_dialog.h"
#include "ui/models/format.h"
#include "ui/models/policy_text.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

Severity severity_of(SecurityLevel level) {
    return level == SecurityLevel::standard ? Severity::neutral
           : level == SecurityLevel::high   ? Severity::info
                                            : Severity::good;
}

QString level_title(SecurityLevel level) {
    return level == SecurityLevel::standard ? QObject::tr("standard, not encrypted")
           : level == SecurityLevel::high   ? QObject::tr("high, encrypted")
                                            : QObject::tr("maximum, encrypted and signed");
}

QString list_text(const QStringList& words) {
    return words.isEmpty() ? QObject::tr("none") : words.join(u";  "_s);
}

void set_words(QLabel* label, const QString& text, Severity severity = Severity::none) {
    say(label, text);
    label->setStyleSheet(severity == Severity::none
                             ? QString()
                             : u"color: %1"_s.arg(colours().severity(severity).text.name()));
}

struct Answer {
    Result<PolicyReport> report;
    PolicyText words;
};

}  // namespace

SecuritySection::SecuritySection(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      workspace_(workspace),
      level_(make_sign()),
      policy_(make_button(u"shield"_s, tr("Policy…"))),
      rotate_(make_button(u"key"_s, tr("Rotate key…"))) {
    auto* head = new QHBoxLayout;
    head->addWidget(make_label(tr("Security"), "section"));
    head->addStretch();
    head->addWidget(level_, 0, Qt::AlignVCenter);
    auto* facts = make_facts();
    read_ = add_fact(facts, tr("Read"));
    write_ = add_fact(facts, tr("Write"));
    manage_ = add_fact(facts, tr("Manage"));
    effect_ = add_fact(facts, tr("Policy"));
    audit_ = add_fact(facts, tr("Accesses"));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(8);
    column->addLayout(head);
    column->addLayout(facts);
    column->addLayout(make_row({policy_, rotate_}));
    connect(policy_, &QPushButton::clicked, this,
            [this] { (new PolicyDialog(workspace_, region_.id, window()))->open(); });
    connect(rotate_, &QPushButton::clicked, this,
            [this] { (new RotateDialog(workspace_, region_, window()))->open(); });
    connect(&workspace, &Workspace::policy_set, this, [this](const QString& id) {
        if (id == QString::fromStdString(region_.id.str())) ask();
    });
}

void SecuritySection::choose(const RegionInfo& region) {
    const auto moment = workspace_.past() ? workspace_.past()->state.moment : Timestamp();
    const bool same = moment == moment_;
    moment_ = moment;
    if (same && seen_ && region.id == region_.id) return show_region(region);
    seen_.reset();
    event_.reset();
    for (auto* label : {read_, write_, manage_, effect_, audit_}) set_words(label, u"…"_s);
    show_region(region);
}

void SecuritySection::show_region(const RegionInfo& region) {
    region_ = region;
    set_chip(level_, level_title(region.security_level), severity_of(region.security_level));
    rotate_->setVisible(RotateDialog::applies_to(region));
    allow(rotate_, true, workspace_.past() ? workspace_.why_not() : QString());
    const Seen now{region.permissions, region.has_policy, region.policy_in_effect};
    if (seen_ == now) return;
    seen_ = now;
    ask();
}

void SecuritySection::policy_event(std::int64_t seq) {
    if (seq == event_) return;
    const bool first = !event_;
    event_ = seq;
    if (!first) ask();
}

void SecuritySection::ask() {
    if (workspace_.past()) {
        latest_.next();  // an answer that is under way is about now
        return show_problem(tr("of a past moment only the permissions are known"));
    }
    const auto job = [id = region_.id](ManagerPort& port) {
        Answer out{port.policy(id), {}};
        if (out.report) out.words = policy_text(*out.report);
        return out;
    };
    workspace_.ask(this, job, [this, token = latest_.next()](const Answer& answer) {
        if (!latest_.is(token)) return;
        if (answer.report)
            show_report(*answer.report, answer.words);
        else
            show_problem(error_text(answer.report.error()));
    });
}

void SecuritySection::show_report(const PolicyReport& report, const PolicyText& words) {
    set_words(read_, list_text(words.read));
    set_words(write_, list_text(words.write));
    set_words(manage_, list_text(words.manage));
    const auto name = report.own ? tr("own policy") : tr("as allocated");
    if (!report.readable)
        set_words(effect_, tr("lost: only the owner and administrators may manage the region"),
                  Severity::bad);
    else if (report.in_effect)
        set_words(effect_, tr("%1, in effect").arg(name));
    else
        set_words(effect_, tr("not in full effect yet: %1").arg(to_qstring(report.note)),
                  Severity::caution);
    auto accesses = report.policy.audit ? tr("recorded") : tr("not recorded");
    if (report.policy.require_encryption) accesses += tr("; encryption required");
    set_words(audit_, accesses);
    policy_->setEnabled(true);
    policy_->setToolTip(tr("Show, preview and change the policy"));
}

// Without a manager, or for one who may not see it, there are the permissions.
void SecuritySection::show_problem(const QString& why) {
    const auto& may = region_.permissions;
    const auto text = tr("owner %1, group %2, others %3")
                          .arg(permission_title(may.owner), permission_title(may.group),
                               permission_title(may.other));
    set_words(read_, text);
    set_words(write_, u"–"_s);
    set_words(manage_, u"–"_s);
    set_words(audit_, u"–"_s);
    set_words(effect_, capitalised(why), Severity::caution);
    policy_->setEnabled(false);
    set_tooltip(policy_, why);
}

}  // namespace snakepit::shm::ui
