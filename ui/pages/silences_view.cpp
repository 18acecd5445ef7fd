// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/silences_view.h"

#include <QHBoxLayout>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/models/alert_rule_model.h"
#include "ui/models/alert_text.h"
#include "ui/models/format.h"
#include "ui/models/workspace.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

SilencesView::SilencesView(Workspace& workspace, QWidget* parent)
    : QWidget(parent),
      workspace_(workspace),
      model_(new SilenceModel(this)),
      table_(new TableView(QStringLiteral("silences"))),
      stack_(new QStackedWidget),
      empty_(new EmptyState(QStringLiteral("silence"), tr("Nothing is silenced"),
                            tr("Who works on something can silence its alerts for a while: "
                               "select an alert, then Silence…"))),
      problem_(make_label({}, "problem")),
      end_(make_button(QStringLiteral("alerts"), tr("End silence"))),
      actions_(new QWidget),
      command_line_(make_command_line({})),
      command_(command_line_->findChild<QLabel*>(QStringLiteral("command"))) {
    table_->setModel(model_);
    table_->set_default_columns(
        {kSilenceRule, kSilenceSubject, kSilenceUntil, kSilenceBy, kSilenceMade, kSilenceComment},
        {220, 240, 200, 90, 90, 200});
    table_->setAccessibleName(tr("Silences"));
    table_->restore_layout();
    auto* card = new Card;
    stack_->addWidget(table_);
    stack_->addWidget(empty_);
    stack_->setCurrentWidget(empty_);
    card->body()->addWidget(stack_);
    problem_->setWordWrap(true);
    problem_->hide();
    auto* row = new QHBoxLayout(actions_);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(8);
    row->addWidget(end_);
    row->addWidget(command_line_, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    column->addWidget(card, 1);
    column->addWidget(problem_);
    column->addWidget(actions_);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &SilencesView::show_selection);
    connect(end_, &QPushButton::clicked, this, &SilencesView::end_selected);
    show_selection();
}

std::vector<std::uint64_t> SilencesView::selected() const {
    std::vector<std::uint64_t> ids;
    for (const int row : table_->selected_rows()) ids.push_back(model_->row(row)->id);
    return ids;
}

void SilencesView::show_selection() {
    const auto ids = selected();
    actions_->setVisible(model_->rowCount() > 0);
    end_->setEnabled(!ids.empty() && workspace_.can_act());
    command_line_->setVisible(ids.size() == 1);
    if (!ids.empty()) command_->setText(workspace_.command(unsilence_words(ids.front())));
}

void SilencesView::end_selected() {
    end_->setEnabled(false);
    const auto job = [ids = selected()](MonitoringPort& port) -> Status {
        for (const auto id : ids) {
            SHM_TRY(port.unsilence(id));
        }
        return {};
    };
    workspace_.monitor(this, job, [this](const Status& done) {
        problem_->setVisible(!done);
        problem_->setText(done ? QString() : error_text(done.error()));
        refresh();
        Q_EMIT ended();
    });
}

void SilencesView::refresh() {
    if (asking_ || !workspace_.has_monitoring()) return;
    asking_ = true;
    workspace_.monitor(
        this, [](MonitoringPort& port) { return port.silences(); },
        [this](Result<std::vector<AlertSilence>> silences) { take(std::move(silences)); });
}

void SilencesView::take(Result<std::vector<AlertSilence>> silences) {
    asking_ = false;
    const bool lacks = !silences && workspace_.bundle();
    problem_->setVisible(!silences && !lacks);
    problem_->setText(silences ? QString() : error_text(silences.error()));
    if (silences) model_->show(*silences);
    if (lacks) empty_->set_text(workspace_.unknown_title({}), problem_->text());
    stack_->setCurrentWidget(model_->rowCount() ? static_cast<QWidget*>(table_) : empty_);
    show_selection();
}

}  // namespace snakepit::shm::ui
