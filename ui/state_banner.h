// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

class QLabel;
class QPushButton;

namespace snakepit::shm::ui {

class ManagerHost;
class Workspace;

// Above all pages: that what they show is not of this moment, or not of this machine, and what can
// be done about it. Hidden otherwise.
class StateBanner : public QFrame {
    Q_OBJECT
  public:
    StateBanner(Workspace& workspace, const ManagerHost& host, QWidget* parent = nullptr);
    void show_state();

  Q_SIGNALS:
    void manager_wanted();  // in this window
    void live_wanted();

  private:
    QString bundle_text() const;
    QString pause_text() const;
    QString past_text() const;
    QString link_text() const;

    Workspace& workspace_;
    const ManagerHost& host_;
    QLabel* text_;
    QPushButton *resume_, *live_, *embed_;
};

}  // namespace snakepit::shm::ui
