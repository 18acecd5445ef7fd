// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>
#include <cstdint>

class QLabel;

namespace snakepit::shm::ui {

class CurrentAlerts;

// What fires now, the worst first, in a few lines; not to be seen while nothing does.
class AlertStrip : public QFrame {
    Q_OBJECT
  public:
    explicit AlertStrip(CurrentAlerts& current, QWidget* parent = nullptr);

  Q_SIGNALS:
    void alert_wanted(std::uint64_t id);
    void all_wanted();

  private:
    void show_firing();

    CurrentAlerts& current_;
    QLabel *sign_, *text_;
};

}  // namespace snakepit::shm::ui
