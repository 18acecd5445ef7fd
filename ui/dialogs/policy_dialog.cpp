// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/dialogs/policy_dialog.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStackedWidget>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/dialogs/policy_editor.h"
#include "ui/dialogs/what_if_panel.h"
#include "ui/models/format.h"
#include "ui/models/policy_text.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPolicyRestMillis = 150;
constexpr int kTwoHalves = 960;  // pixels

struct Loaded {
    Result<PolicyReport> report;
    PolicyText words;
    KnownNames names;
};

// `done`: the manager was asked to set it. Otherwise another policy holds than the one that was
// edited; nothing was changed.
struct Replaced {
    Result<PolicyReport> report;
    bool done;
};

Replaced replace(ManagerPort& port, const RegionId& id, const Policy& policy,
                 const Policy& before) {
    auto now = port.policy(id);
    if (now && now->policy != before) return {std::move(now), false};
    return {port.set_policy(id, policy), true};
}

QString effect_text(const PolicyReport& report) {
    return report.in_effect ? QObject::tr("Saved and in effect.")
                            : QObject::tr(
                                  "Saved. New accesses follow this policy; it is in full effect "
                                  "once the existing references are released: %1.")
                                  .arg(to_qstring(report.note));
}

}  // namespace

PolicyDialog::PolicyDialog(Workspace& workspace, const RegionId& id, QWidget* parent)
    : TaskDialog(workspace, tr("Policy"),
                 tr("Access to %1. A process that matches no permission and no rule is refused, "
                    "and each refusal is recorded.")
                     .arg(QString::fromStdString(id.str())),
                 parent),
      id_(id),
      editor_(new PolicyEditor(workspace)),
      what_if_(new WhatIfPanel),
      stack_(new QStackedWidget),
      waiting_(make_label(tr("Loading the policy…"), "muted")),
      save_(make_primary(tr("Save policy"))),
      rest_(new QTimer(this)) {
    resize(1120, 720);
    waiting_->setAlignment(Qt::AlignCenter);
    waiting_->setWordWrap(true);
    auto* both = new QWidget;
    halves_ = new QHBoxLayout(both);
    halves_->setContentsMargins(0, 0, 0, 0);
    halves_->setSpacing(14);
    halves_->addWidget(editor_, 1);
    halves_->addWidget(what_if_, 1);
    stack_->addWidget(waiting_);
    stack_->addWidget(both);
    body()->addWidget(stack_, 1);
    add_command_line();
    add_action(save_, this, &PolicyDialog::save)->setEnabled(false);
    rest_->setSingleShot(true);
    rest_->setInterval(kPolicyRestMillis);
    connect(rest_, &QTimer::timeout, this, &PolicyDialog::preview);
    connect(editor_, &PolicyEditor::edited, this, &PolicyDialog::check);
    connect(what_if_, &WhatIfPanel::asked, this, &PolicyDialog::check);
    load();
}

void PolicyDialog::resizeEvent(QResizeEvent* event) {
    TaskDialog::resizeEvent(event);
    halves_->setDirection(width() < kTwoHalves ? QBoxLayout::TopToBottom : QBoxLayout::LeftToRight);
}

void PolicyDialog::load() {
    const auto job = [id = id_](ManagerPort& port) {
        Loaded out{port.policy(id), {}, {}};
        if (!out.report) return out;
        out.words = policy_text(*out.report);
        out.names = known_names();
        return out;
    };
    workspace_.ask(this, job, [this](const Loaded& answer) {
        if (answer.report) {
            receive(*answer.report, answer.words, answer.names);
        } else {
            show_permissions();
            set_message(error_text(answer.report.error()), Severity::bad);
            closer()->setText(tr("Close"));
        }
        Q_EMIT loaded();
    });
}

// They are known without the manager.
void PolicyDialog::show_permissions() {
    const auto* entry = workspace_.regions().find(id_);
    auto text = tr("The policy could not be loaded.");
    if (entry) {
        const auto& may = entry->row.info.permissions;
        text += u' ' + tr("The permissions of the region: owner %1, group %2, others %3.")
                           .arg(permission_title(may.owner), permission_title(may.group),
                                permission_title(may.other));
    }
    say(waiting_, text);
}

void PolicyDialog::receive(const PolicyReport& report, const PolicyText& words,
                           const KnownNames& names) {
    report_ = report;
    what_if_->load(report, names);
    editor_->load(report, words, names);
    stack_->setCurrentIndex(1);
    if (!report.readable)
        set_message(tr("The policy of this region is lost. Until another is saved, only its owner "
                       "and administrators have access."),
                    Severity::caution);
    else if (!report.in_effect)
        set_message(tr("The policy is not in full effect yet: %1.").arg(to_qstring(report.note)),
                    Severity::info);
}

bool PolicyDialog::changed() const {
    return report_ && (!report_->readable || editor_->policy() != report_->policy);
}

void PolicyDialog::check() {
    if (!report_) return;
    save_->setEnabled(!saving_ && changed() && editor_->problem().isEmpty());
    set_command(workspace_.command(policy_command(id_, editor_->policy())));
    rest_->start();
}

void PolicyDialog::preview() {
    const auto job = [report = *report_, policy = editor_->policy(), who = what_if_->who()](
                         ManagerPort&) { return preview_policy(report, policy, who); };
    workspace_.ask(this, job, [this, token = latest_.next()](const PolicyPreview& preview) {
        if (!latest_.is(token) || rest_->isActive()) return;
        editor_->show_findings(preview.findings);
        what_if_->show_preview(preview, report_->policy, editor_->policy());
        Q_EMIT previewed();
    });
}

void PolicyDialog::save() {
    saving_ = true;
    editor_->setEnabled(false);
    check();
    set_message(tr("Saving…"), Severity::neutral);
    workspace_.act(
        this,
        [id = id_, policy = editor_->policy(), before = report_->policy](ManagerPort& port) {
            return replace(port, id, policy, before);
        },
        [this](const Replaced& outcome) {
            outcome.done ? receive_saved(outcome.report) : receive_overtaken(*outcome.report);
        });
}

void PolicyDialog::receive_overtaken(const PolicyReport& report) {
    saving_ = false;
    editor_->setEnabled(true);
    report_ = report;
    set_message(tr("Not saved: another user has changed the policy since it was opened here. “Now” "
                   "shows the current policy; save again to replace it."),
                Severity::caution);
    check();
    Q_EMIT saved(false);
}

void PolicyDialog::receive_saved(const Result<PolicyReport>& result) {
    saving_ = false;
    editor_->setEnabled(true);
    if (result) {
        report_ = *result;
        set_message(effect_text(*result), result->in_effect ? Severity::good : Severity::info);
        closer()->setText(tr("Close"));
        Q_EMIT workspace_.policy_set(QString::fromStdString(id_.str()));
    } else {
        const auto why = error_text(result.error());
        set_message(tr("Not saved. %1").arg(why), Severity::bad);
        editor_->mark(why);
    }
    check();
    Q_EMIT saved(result.has_value());
}

}  // namespace snakepit::shm::ui
