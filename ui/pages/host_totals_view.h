// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "host_history/history_reader.h"

class QTableWidget;

namespace snakepit::shm::ui {

class ChoiceRow;

// What programs, users or groups had of the host's shared memory at a recorded moment.
class HostTotalsView : public QWidget {
    Q_OBJECT
  public:
    explicit HostTotalsView(QWidget* parent = nullptr);
    void show_record(HostRecord record);

  private:
    void show_kind();

    HostRecord record_;
    ChoiceRow* by_;
    QTableWidget* table_;
};

}  // namespace snakepit::shm::ui
