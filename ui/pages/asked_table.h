// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/models/workspace.h"

class QAbstractItemModel;
class QBoxLayout;
class QLabel;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class CommandText;
class EmptyState;
class TableView;

// A table of what the manager is asked for, in a card; what to see in its place while it is empty;
// below it what went wrong, and what can be done with the selected row: as buttons and as a command
// line.
class AskedTable : public QWidget {
    Q_OBJECT
  public:
    TableView* table() const { return table_; }

  protected:
    // Columns are remembered under `settings_key`.
    AskedTable(Workspace& workspace, const QString& settings_key, EmptyState* empty,
               QWidget* parent);

    virtual void show_selection() = 0;  // called whenever it changes
    void show_model(QAbstractItemModel* model);
    void add_action(QPushButton* action);  // before the command line
    void show_rows();                      // or what to see in their place
    void show_problem(const Error* problem);
    void show_command(const QString& command);  // null: none would do it
    QWidget* actions() { return actions_; }
    EmptyState* empty() { return empty_; }

    // Asks the monitoring port on its thread, one question at a time.
    template <typename Question, typename Take>
    void ask(Question question, Take take) {
        if (asking_ || !workspace_.has_monitoring()) return;
        asking_ = true;
        workspace_.monitor(this, std::move(question),
                           [this, take = std::move(take)](auto answer) mutable {
                               asking_ = false;
                               take(std::move(answer));
                           });
    }

    Workspace& workspace_;

  private:
    TableView* table_;
    EmptyState* empty_;
    QStackedWidget* stack_;
    QLabel* problem_;
    QWidget *actions_, *command_line_;
    QBoxLayout* row_;
    CommandText* command_;
    bool asking_ = false;
};

}  // namespace snakepit::shm::ui
