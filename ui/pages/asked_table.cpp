// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/asked_table.h"

#include <QHBoxLayout>
#include <QStackedWidget>
#include <QVBoxLayout>

#include "ui/models/format.h"
#include "ui/pages/table_view.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

AskedTable::AskedTable(Workspace& workspace, const QString& settings_key, EmptyState* empty,
                       QWidget* parent)
    : QWidget(parent),
      workspace_(workspace),
      table_(new TableView(settings_key)),
      empty_(empty),
      stack_(make_stack({table_, empty})),
      problem_(make_problem()),
      actions_(new QWidget),
      command_line_(make_command_line({})),
      row_(new QHBoxLayout(actions_)),
      command_(command_line_->findChild<CommandText*>()) {
    stack_->setCurrentWidget(empty);
    auto policy = command_line_->sizePolicy();
    policy.setRetainSizeWhenHidden(true);  // the buttons beside it keep their width
    command_line_->setSizePolicy(policy);
    row_->setContentsMargins(0, 0, 0, 0);
    row_->setSpacing(8);
    row_->addWidget(command_line_, 1);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(10);
    column->addWidget(new Card(stack_), 1);
    column->addWidget(problem_);
    column->addWidget(actions_);
}

void AskedTable::show_model(QAbstractItemModel* model) {
    table_->setModel(model);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &AskedTable::show_selection);
}

void AskedTable::add_action(QPushButton* action) {
    row_->insertWidget(row_->count() - 1, action);
}

void AskedTable::show_rows() {
    stack_->setCurrentIndex(table_->model()->rowCount() > 0 ? 0 : 1);
}

void AskedTable::show_problem(const Error* problem) {
    ui::show_problem(problem_, problem ? error_text(*problem) : QString());
}

void AskedTable::show_command(const QString& command) {
    command_line_->setVisible(!command.isNull());
    if (!command.isNull()) command_->set_command(command);
}

}  // namespace snakepit::shm::ui
