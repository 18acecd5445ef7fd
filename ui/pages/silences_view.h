// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "alerts/alert.h"

class QLabel;
class QPushButton;
class QStackedWidget;

namespace snakepit::shm::ui {

class EmptyState;
class SilenceModel;
class TableView;
class Workspace;

// What nobody is told of, for how long and why; a silence can be ended.
class SilencesView : public QWidget {
    Q_OBJECT
  public:
    explicit SilencesView(Workspace& workspace, QWidget* parent = nullptr);
    void refresh();  // asks for them
    TableView* table() { return table_; }

  Q_SIGNALS:
    void ended();

  private:
    void show_selection();
    void end_selected();
    void take(Result<std::vector<AlertSilence>> silences);
    std::vector<std::uint64_t> selected() const;

    Workspace& workspace_;
    SilenceModel* model_;
    TableView* table_;
    QStackedWidget* stack_;
    EmptyState* empty_;
    QLabel* problem_;
    QPushButton* end_;
    QWidget *actions_, *command_line_;
    QLabel* command_;
    bool asking_ = false;
};

}  // namespace snakepit::shm::ui
